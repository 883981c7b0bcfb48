"""The Kubernetes provider, for what the stack keeps in the cluster itself."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceHook, ResourceHookArgs, ResourceHookBinding, ResourceHookOptions

from components.scope import ANY_OBJECT, Scope

LABELS = {"app.kubernetes.io/part-of": "kubernetes-audit", "app.kubernetes.io/managed-by": "pulumi"}
"""Of every object that the stack keeps in the cluster."""

IDENTIFIER_RECORDED = (
    "record only: the Kubernetes provider gets the cluster's name as its identifier; nothing in the cluster changes"
)


def kubernetes_provider(
    kubeconfig: str, cluster: str, scope: Scope, *, is_path: bool = False
) -> pulumi.ProviderResource:
    """The provider for the cluster that this kubeconfig's current context names; or the one that was given.

    ``kubeconfig`` is its text, which is a secret, or with ``is_path`` the path where the provider finds it. A path
    keeps credentials out of the state: whoever may decrypt that for a preview reads no other than the preview's own. A
    relative one starts from the project's folder, in which the engine starts providers.

    Explicit, so that a kubeconfig that happens to lie on the operator's machine is never used. ConfigMaps and
    Secrets change in place: by default the provider replaces them, and what they hold would be gone for a moment.
    ``cluster`` identifies the cluster: a kubeconfig with another address or other credentials replaces no object.
    """
    given = scope.given_provider(ANY_OBJECT)
    if given is not None:
        return given
    when = ResourceHookOptions(on_dry_run=True)
    label = ResourceHook(scope.name("cluster-identifier"), _label_the_first_identifier, when)
    options = pulumi.ResourceOptions(hooks=ResourceHookBinding(after_update=[label]))
    provider: pulumi.ProviderResource = kubernetes.Provider(
        scope.name("cluster"),
        kubeconfig=kubeconfig if is_path else pulumi.Output.secret(kubeconfig),
        cluster_identifier=cluster,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions.merge(scope.options(), options),
    )
    return provider


def _label_the_first_identifier(arguments: ResourceHookArgs) -> None:
    if pulumi.runtime.is_dry_run() and "clusterIdentifier" not in (arguments.old_inputs or {}):
        pulumi.log.info(IDENTIFIER_RECORDED)
