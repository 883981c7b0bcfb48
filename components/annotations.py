"""The admission policies that annotate audit events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes import admissionregistration, meta

from auditlog.annotations.model import MADE_MARK, OWNER_MARK, Entry
from auditlog.annotations.render import BINDING, POLICY, astray, binding_spec, policy_spec
from components.kubernetes_provider import LABELS
from components.scope import Scope

_FORCE = "pulumi.com/patchForce"
"""By which the provider takes an existing object into the state. By default that is a conflict of field
managers (https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/).
"""
_ANNOTATIONS = "metadata.annotations"


class Annotations(pulumi.ComponentResource):
    """A policy and its binding for each entry. ``provider`` is the cluster's.

    ``there`` are the cluster's policies and bindings, by KIND/NAME, each with its content as JSON; None if that is not
    known. What somebody removed or changed is made again. The engine compares with its state alone. A refresh does not
    see fields that the stack does not set: somebody else's match condition would stay.

    ``owners`` are the stacks that made them, None if that is not known (`auditlog.annotations.owners`). Those of a
    former owner get this one's mark, and so do those of a version that set none. Those of this stack that its state has
    lost are taken as they are.

    ``depends_on`` are the nodes: the API server answers only when it is not being restarted, also on removal.
    ``objects`` are what was declared.
    """

    objects: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        entries: Sequence[Entry],
        there: Mapping[str, str] | None,
        owners: Mapping[str, str | None] | None,
        depends_on: Sequence[pulumi.Resource],
        scope: Scope,
        provider: pulumi.ProviderResource,
    ) -> None:
        super().__init__("kubernetes-audit:index:Annotations", scope.name(name), None, scope.options(provider))
        self._scope = scope
        self._owners = owners or {}
        self._astray = frozenset() if there is None else astray(entries, there)
        options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        self.objects = [each for entry in entries for each in self._in_force(entry, options)]
        if there and self._astray and pulumi.runtime.is_dry_run():
            names = ", ".join(sorted(self._astray))
            pulumi.log.info(f"not in the cluster as declared, and made by up: {names}", self)
        self.register_outputs({})

    def _in_force(self, entry: Entry, options: pulumi.ResourceOptions) -> tuple[pulumi.Resource, pulumi.Resource]:
        of = admissionregistration.v1
        made: pulumi.Resource = of.ValidatingAdmissionPolicy(
            self._scope.name(entry.policy_name),
            metadata=self._metadata(POLICY, entry),
            spec=policy_spec(entry),
            opts=self._options(POLICY, entry, options),
        )
        bound: pulumi.Resource = of.ValidatingAdmissionPolicyBinding(
            self._scope.name(f"{entry.policy_name}-binding"),
            metadata=self._metadata(BINDING, entry),
            spec=binding_spec(entry),
            opts=self._options(BINDING, entry, options, depends_on=[made]),
        )
        return made, bound

    def _metadata(self, kind: str, entry: Entry) -> meta.v1.ObjectMetaArgs:
        """With a note that is another one in each run, and counts only where the object is made again."""
        marks = {MADE_MARK: str(time.time_ns()), OWNER_MARK: self._scope.owner}
        if self._owners.get(f"{kind}/{entry.policy_name}"):
            marks[_FORCE] = "true"
        return meta.v1.ObjectMetaArgs(name=entry.policy_name, labels=LABELS, annotations=marks)

    def _options(self, kind: str, entry: Entry, options: pulumi.ResourceOptions, **more: Any) -> pulumi.ResourceOptions:
        """Replaced, not updated: the provider would have to find the object, and to be the owner of all its fields."""
        name = f"{kind}/{entry.policy_name}"
        if name in self._astray:
            own = pulumi.ResourceOptions(replace_on_changes=[_ANNOTATIONS], delete_before_replace=True, **more)
        elif self._owners.get(name, self._scope.owner) != self._scope.owner:
            own = pulumi.ResourceOptions(**more)
        else:
            own = pulumi.ResourceOptions(ignore_changes=[_ANNOTATIONS], **more)
        return pulumi.ResourceOptions.merge(options, own)
