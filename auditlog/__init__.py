"""Knowledge about Kubernetes API-server audit logging, as a plain Python library.

Nothing in this package imports Pulumi: the same functions serve the deployment, the command line and the tests.
"""
