"""The admission policies that annotate audit events."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes import admissionregistration, meta

from auditlog.annotations.model import Entry
from auditlog.annotations.render import binding_spec, policy_spec
from components.kubernetes_provider import LABELS
from components.scope import Scope


class Annotations(pulumi.ComponentResource):
    """A policy and its binding for each entry. ``provider`` is the cluster's.

    ``depends_on`` are the nodes: the API server answers only when it is not being restarted, also on removal.
    ``objects`` are what was declared.
    """

    objects: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        entries: Sequence[Entry],
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        provider: pulumi.ProviderResource,
    ) -> None:
        super().__init__("kubernetes-audit:index:Annotations", scope.name(name), None, scope.options(provider))
        self._scope = scope
        options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        self.objects = [each for entry in entries for each in self._in_force(entry, options)]
        self.register_outputs({})

    def _in_force(self, entry: Entry, options: pulumi.ResourceOptions) -> tuple[pulumi.Resource, pulumi.Resource]:
        metadata = meta.v1.ObjectMetaArgs(name=entry.policy_name, labels=LABELS)
        of = admissionregistration.v1
        made: pulumi.Resource = of.ValidatingAdmissionPolicy(
            self._scope.name(entry.policy_name), metadata=metadata, spec=policy_spec(entry), opts=options
        )
        bound: pulumi.Resource = of.ValidatingAdmissionPolicyBinding(
            self._scope.name(f"{entry.policy_name}-binding"),
            metadata=metadata,
            spec=binding_spec(entry),
            opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[made])),
        )
        return made, bound
