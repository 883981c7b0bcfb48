"""The Kubernetes provider, for what the stack keeps in the cluster itself."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from components.scope import Scope

LABELS = {"app.kubernetes.io/part-of": "kubernetes-audit", "app.kubernetes.io/managed-by": "pulumi"}
"""Of every object that the stack keeps in the cluster."""


def kubernetes_provider(kubeconfig: str, scope: Scope) -> kubernetes.Provider:
    """The provider for the cluster that this kubeconfig's current context names.

    Explicit, so that a kubeconfig that happens to lie on the operator's machine is never used. ConfigMaps and
    Secrets change in place: by default the provider replaces them, and what they hold would be gone for a moment.
    """
    return kubernetes.Provider(
        scope.name("cluster"),
        kubeconfig=pulumi.Output.secret(kubeconfig),
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=scope.options(),
    )
