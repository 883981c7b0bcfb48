"""The alerting rules: ConfigMaps for the sidecars of Loki and Prometheus, resources of the Prometheus operator, or
groups in Loki's ruler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from auditlog.settings import LokiRules, LokiSettings, PrometheusRules
from components.kubernetes_provider import LABELS
from components.ruler_rules import Live, ruler_rules
from components.scope import Scope

# The label that the rules sidecar of the Loki chart looks for, and the annotation with the folder below its own.
_LOKI_LABEL = {"loki_rule": ""}
_LOKI_FOLDER = "k8s-sidecar-target-directory"
LOKI_RULES_LABEL = {"kubernetes-audit/rules": "loki"}
"""By this Alloy's loki.rules.kubernetes finds the rules for Loki. They carry none of `alerts.labels`, by which a
Prometheus would find them and fail on LogQL."""
_NO_LABELS = (
    "alerts.labels is empty: a Prometheus whose ruleSelector asks for labels ignores the rules; "
    "kubectl get prometheuses -A -o jsonpath='{..ruleSelector}' shows which"
)


class Alerts(pulumi.ComponentResource):
    """One object for the rules of each of Loki and Prometheus that is on; or one Command for each group of a ruler.

    Objects and files are named after the cluster, so stacks of several clusters can share a namespace. A sidecar puts
    the files of all ConfigMaps into one folder. ``depends_on`` are the nodes: the API server answers only when it is
    not being restarted, also on removal. A preview says what the policy hides from the detections. ``provider`` is the
    cluster's, None where nothing is kept there. ``ruler`` is the Loki whose ruler takes the rules through its API, None
    for another way, and ``in_ruler`` what that ruler has now. ``groups`` are the names of the rule groups, ``objects``
    what holds them.
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
        provider: pulumi.ProviderResource | None,
        ruler: LokiSettings | None = None,
        in_ruler: Live = None,
    ) -> None:
        super().__init__("kubernetes-audit:index:Alerts", scope.name(name), None, scope.options(provider))
        self._rules, self._scope = rules, scope
        self._options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        self.groups = {}
        self.objects = []
        settings = rules.settings
        if settings.loki is not LokiRules.OFF:
            events = loki_rules(rules)
            self.groups["loki"] = list(events.names)
            if ruler is not None:
                self.objects += ruler_rules(events, rules, ruler, in_ruler, self, depends_on, scope)
            else:
                self.objects.append(self._loki(events))
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
        if self._rules.settings.loki is LokiRules.PROMETHEUS_RULE:
            return self._prometheus_rule("loki-rules", rules, LOKI_RULES_LABEL, {})
        folder = {_LOKI_FOLDER: self._rules.loki_folder}
        return self._config_map("loki-rules", rules, _LOKI_LABEL, folder)

    def _prometheus(self, rules: RuleFile) -> pulumi.Resource:
        self.groups["prometheus"] = list(rules.names)
        if self._rules.settings.prometheus is PrometheusRules.CONFIGMAP:
            return self._config_map("prometheus-rules", rules, {}, {})
        if not self._rules.settings.labels and pulumi.runtime.is_dry_run():
            pulumi.log.info(_NO_LABELS, self)
        return self._prometheus_rule("prometheus-rules", rules, {}, self._rules.settings.labels)

    def _prometheus_rule(
        self, what: str, rules: RuleFile, labels: Mapping[str, str], theirs: Mapping[str, str]
    ) -> pulumi.Resource:
        made: pulumi.Resource = apiextensions.CustomResource(
            self._scope.name(what),
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata=self._metadata(what, {**labels, **theirs}, {}),
            spec=self._kept({"groups": list(rules.groups)}),
            opts=self._options,
        )
        return made

    def _kept(self, value: dict[str, Any]) -> pulumi.Input[dict[str, Any]]:
        """The value; as a secret if the addresses of the nodes are one, since the rules name them."""
        return pulumi.Output.secret(value) if self._scope.hides_nodes else value

    def _object_name(self, what: str) -> str:
        return f"kubernetes-audit-{self._rules.cluster}-{what}"

    def _metadata(self, what: str, labels: Mapping[str, str], annotations: dict[str, str]) -> meta.v1.ObjectMetaArgs:
        return meta.v1.ObjectMetaArgs(
            name=self._object_name(what),
            namespace=self._rules.settings.namespace,
            labels={**LABELS, **labels},
            annotations=annotations or None,
        )

    def _config_map(
        self, what: str, rules: RuleFile, labels: dict[str, str], annotations: dict[str, str]
    ) -> pulumi.Resource:
        made: pulumi.Resource = core.v1.ConfigMap(
            self._scope.name(what),
            metadata=self._metadata(what, {**labels, **self._rules.settings.labels}, annotations),
            data=self._kept({f"{self._object_name(what)}.yaml": rules.text}),
            opts=self._options,
        )
        return made
