"""Knowledge about Kubernetes API-server audit logging, as a plain Python library.

Nothing in this package imports Pulumi: the same functions serve the deployment, the command line and the tests.
"""

__version__ = "0.2.0"
"""The one place of the version: the distribution, `auditlog --version` and the Pulumi package take it from here."""
