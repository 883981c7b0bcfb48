"""The alerting rules: ConfigMaps for the sidecars of Loki and Prometheus, or a resource of the Prometheus operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, core, meta

from auditlog.detections.annotated import written_keys
from auditlog.detections.cross_check import Finding, cross_check
from auditlog.detections.report import preview_note, preview_warnings
from auditlog.observe.rules import RuleFile, RuleScope, selected
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules
from auditlog.policy.model import Policy
from auditlog.settings import LokiRules, PrometheusRules
from components.kubernetes_provider import LABELS
from components.scope import Scope

# The label that the rules sidecar of the Loki chart looks for, and the annotation with the folder below its own.
_LOKI_LABEL = {"loki_rule": ""}
_LOKI_FOLDER = "k8s-sidecar-target-directory"


class Alerts(pulumi.ComponentResource):
    """One object for the rules of each of Loki and Prometheus that is on. ``provider`` is the cluster's.

    Both are named after the cluster, so that stacks of several clusters can share a namespace; and so are the files,
    since a sidecar puts those of all ConfigMaps into one folder. ``depends_on`` are the nodes: the API server answers
    only when it is not being restarted, also on removal. A preview says what the policy hides from the detections.
    ``groups`` are the names of the rule groups, ``objects`` what holds them.
    """

    groups: dict[str, list[str]]
    objects: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        rules: RuleScope,
        policy: Policy,
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        provider: pulumi.ProviderResource,
    ) -> None:
        super().__init__("kubernetes-audit:index:Alerts", scope.name(name), None, scope.options(provider))
        self._rules, self._scope = rules, scope
        self._options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        self.groups = {}
        self.objects = []
        settings = rules.settings
        if settings.loki is not LokiRules.OFF:
            self.objects.append(self._loki(loki_rules(rules)))
            if pulumi.runtime.is_dry_run() and not scope.hides_texts:
                self._explain(cross_check(policy, selected(settings, on_metrics=False), written_keys(rules.entries)))
        if settings.prometheus is not PrometheusRules.OFF:
            self.objects.append(self._prometheus(prometheus_rules(rules)))
        self.register_outputs({})

    def _explain(self, findings: Sequence[Finding]) -> None:
        for line in preview_warnings(findings):
            pulumi.log.warn(line, self)
        if note := preview_note(findings):
            pulumi.log.info(note, self)

    def _loki(self, rules: RuleFile) -> pulumi.Resource:
        self.groups["loki"] = list(rules.names)
        folder = {_LOKI_FOLDER: self._rules.loki_folder}
        return self._config_map("loki-rules", rules, _LOKI_LABEL, folder)

    def _prometheus(self, rules: RuleFile) -> pulumi.Resource:
        self.groups["prometheus"] = list(rules.names)
        if self._rules.settings.prometheus is PrometheusRules.CONFIGMAP:
            return self._config_map("prometheus-rules", rules, {}, {})
        made: pulumi.Resource = apiextensions.CustomResource(
            self._scope.name("prometheus-rules"),
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata=self._metadata("prometheus-rules", {}, {}),
            spec=self._kept({"groups": list(rules.groups)}),
            opts=self._options,
        )
        return made

    def _kept(self, value: dict[str, Any]) -> pulumi.Input[dict[str, Any]]:
        """The value; as a secret if the addresses of the nodes are one, since the rules name them."""
        return pulumi.Output.secret(value) if self._scope.hides_nodes else value

    def _object_name(self, what: str) -> str:
        return f"kubernetes-audit-{self._rules.cluster}-{what}"

    def _metadata(self, what: str, labels: dict[str, str], annotations: dict[str, str]) -> meta.v1.ObjectMetaArgs:
        settings = self._rules.settings
        return meta.v1.ObjectMetaArgs(
            name=self._object_name(what),
            namespace=settings.namespace,
            labels={**LABELS, **labels, **settings.labels},
            annotations=annotations or None,
        )

    def _config_map(
        self, what: str, rules: RuleFile, labels: dict[str, str], annotations: dict[str, str]
    ) -> pulumi.Resource:
        made: pulumi.Resource = core.v1.ConfigMap(
            self._scope.name(what),
            metadata=self._metadata(what, labels, annotations),
            data=self._kept({f"{self._object_name(what)}.yaml": rules.text}),
            opts=self._options,
        )
        return made
