"""Grafana Alloy for audit events: a DaemonSet of the stack's own, or the text for an Alloy that exists already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import pulumi
from pulumi_command import remote
from pulumi_kubernetes import apps, core, meta, networking

from auditlog.observe.alloy import (
    CERTIFICATE_AUTHORITY_FILE,
    PASSWORD_FILE,
    STORAGE,
    alloy_configuration,
    alloy_snippet,
    run_script,
)
from auditlog.observe.source import Source, source_of
from auditlog.settings import STDOUT, AlloyMode, Host, LokiSettings, Settings
from components.alloy_pod import CONFIGURATION_FILE, LABELS, NAME, PORT, RUN_FILE, alloy_pod
from components.change import Change
from components.scope import Scope

_SOON_GONE = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="2m"))
"""By itself Pulumi waits for ten minutes."""


class Alloy(pulumi.ComponentResource):
    """Ships events in the way that the settings name, which is not ``off``.

    ``provider`` is the cluster's. ``depends_on`` is what must be there for events to ship. ``state`` is what the
    stack says about it: the mode, the namespace, and in mode ``snippet`` the text. ``last`` is what changes last,
    ``change`` whether this run changes any of it; ``before_change`` is done before it does.
    """

    state: dict[str, str]
    last: pulumi.Resource
    change: Change

    def __init__(
        self,
        name: str,
        settings: Settings,
        connections: Mapping[str, remote.ConnectionArgs],
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        provider: pulumi.ProviderResource,
        before_change: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__("kubernetes-audit:index:Alloy", scope.name(name), None, scope.options(provider))
        self._name, self._settings, self._scope = scope.name(name), settings, scope
        self.change = Change(name, scope, before_change)
        source = source_of(settings.log.path if settings.log else STDOUT)
        namespace = self._namespace()
        self.state = {"mode": settings.alloy.mode, "namespace": settings.alloy.namespace}
        if settings.alloy.mode is AlloyMode.DAEMONSET and settings.loki is not None:
            storage = [self._storage(node, connections[node.name]) for node in settings.nodes_to_read]
            self.last = self._daemon_set(source, settings.loki, namespace, [*storage, *depends_on])
        else:
            snippet = alloy_snippet(settings.cluster, source, settings.alloy, settings.loki)
            self.last = self._config_map({CONFIGURATION_FILE: snippet}, namespace)
            self.state["snippet"] = snippet
        self.register_outputs({})

    def _namespace(self) -> core.v1.Namespace:
        """Pods that mount folders of their node are refused in a namespace that enforces less than ``privileged``.

        It is empty when Pulumi deletes it, and gone in seconds, unless an aggregated API has no backend: then never.
        """
        return core.v1.Namespace(
            f"{self._name}-namespace",
            metadata=meta.v1.ObjectMetaArgs(
                name=self._settings.alloy.namespace,
                labels={**LABELS, "pod-security.kubernetes.io/enforce": "privileged"},
            ),
            opts=pulumi.ResourceOptions.merge(self._options(), _SOON_GONE),
        )

    def _config_map(self, files: Mapping[str, str], namespace: core.v1.Namespace) -> core.v1.ConfigMap:
        return core.v1.ConfigMap(
            f"{self._name}-configuration",
            metadata=self._metadata(),
            data=dict(files),
            opts=self._options(namespace),
        )

    def _credentials(self, loki: LokiSettings, namespace: core.v1.Namespace) -> core.v1.Secret | None:
        files = {PASSWORD_FILE: loki.password, CERTIFICATE_AUTHORITY_FILE: loki.certificate_authority}
        held = {file.rpartition("/")[2]: text for file, text in files.items() if text is not None}
        if not held:
            return None
        return core.v1.Secret(
            f"{self._name}-credentials",
            metadata=self._metadata(),
            string_data={key: pulumi.Output.secret(text) for key, text in held.items()},
            opts=self._options(namespace),
        )

    def _storage(self, node: Host, connection: remote.ConnectionArgs) -> remote.Command:
        """Kubernetes makes the folder where it is missing but never takes it away; this does, after the pods."""
        sudo = "" if node.user == "root" else "sudo -n "
        make = f"{sudo}install -d -m 0700 {STORAGE}"
        return remote.Command(
            self._scope.name(f"{node.name}-alloy-storage"),
            connection=connection,
            create=make,
            update=make,
            delete=f"{sudo}rm -rf {STORAGE}",
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _network_policy(self, prometheus: str, namespace: core.v1.Namespace) -> networking.v1.NetworkPolicy:
        its_pods = networking.v1.NetworkPolicyPeerArgs(
            namespace_selector=meta.v1.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": prometheus})
        )
        port = networking.v1.NetworkPolicyPortArgs(port=PORT, protocol="TCP")
        return networking.v1.NetworkPolicy(
            f"{self._name}-network-policy",
            metadata=self._metadata(),
            spec=networking.v1.NetworkPolicySpecArgs(
                pod_selector=meta.v1.LabelSelectorArgs(match_labels=LABELS),
                policy_types=["Ingress"],
                ingress=[networking.v1.NetworkPolicyIngressRuleArgs(from_=[its_pods], ports=[port])],
            ),
            opts=self._options(namespace),
        )

    def _daemon_set(
        self, source: Source, loki: LokiSettings, namespace: core.v1.Namespace, depends_on: Sequence[pulumi.Resource]
    ) -> apps.v1.DaemonSet:
        alloy = self._settings.alloy
        text = alloy_configuration(self._settings.cluster, source, loki)
        files = {CONFIGURATION_FILE: text, RUN_FILE: run_script()}
        if alloy.scraped_from is not None:
            self._network_policy(alloy.scraped_from, namespace)
        configuration = self._config_map(files, namespace)
        credentials = self._credentials(loki, namespace)
        account = core.v1.ServiceAccount(
            f"{self._name}-account",
            metadata=self._metadata(),
            automount_service_account_token=False,
            opts=self._options(namespace),
        )
        return apps.v1.DaemonSet(
            f"{self._name}-daemon-set",
            metadata=self._metadata(),
            spec=apps.v1.DaemonSetSpecArgs(
                selector=meta.v1.LabelSelectorArgs(match_labels=LABELS),
                template=alloy_pod(alloy, source, files, NAME if credentials else None),
            ),
            opts=self._options(configuration, account, *([credentials] if credentials else []), *depends_on),
        )

    def _metadata(self) -> meta.v1.ObjectMetaArgs:
        return meta.v1.ObjectMetaArgs(name=NAME, namespace=self._settings.alloy.namespace, labels=LABELS)

    def _options(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), hooks=self.change.hooks)
