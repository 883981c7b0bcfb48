"""Our policy engine beside the API server's own code, on random policies and requests.

`python -m tests.differential --cases 200000 --version all` compares three versions of k8s.io/apiserver; the
programs it asks are built from `lab/go/policy-oracle-*` into `.lab/bin`.
"""
