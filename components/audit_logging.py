"""Audit logging of one cluster as a component: what other programs declare, in Python or through the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from auditlog.outputs import OUTPUTS
from auditlog.settings.configuration import SECRET_STEPS
from auditlog.settings.package_schema import COMPONENT
from components.cluster import audit_cluster
from components.configuration import configuration_of
from components.outcome import stop_on_mistake
from components.scope import Scope

_WITH_SECRETS = {steps[0] for steps in SECRET_STEPS}


class AuditLogging(pulumi.ComponentResource):
    """Everything that a stack of this project has, below one component.

    ``args`` are the settings of ``docs/settings.md`` by their keys, secrets included. ``outputs`` are those of
    ``auditlog.outputs`` by their names. The nodes are read when all arguments are known; a preview in which one of
    them is not says so and shows nothing of the cluster.
    """

    outputs: Mapping[str, pulumi.Output[Any]]

    def __init__(
        self, name: str, args: Mapping[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # What is shown as the component's own are not its secrets; the resources that need them keep them encrypted.
        shown = {key: value for key, value in args.items() if key not in _WITH_SECRETS}
        super().__init__(COMPONENT, name, shown, opts)
        self._scope = Scope.of_component(self, name)
        given = {key: pulumi.Output.from_input(value) for key, value in args.items()}
        secret = {key: value.is_secret() for key, value in given.items()}
        # Not secret as a whole: each part is made secret again where it is used, and the outputs hold none.
        everything = pulumi.Output.unsecret(pulumi.Output.from_input({"given": given, "secret": secret}))
        declared = everything.apply(self._declare, run_with_unknowns=True)
        self.outputs = {output.name: _output(declared, output.name) for output in OUTPUTS}
        self.register_outputs(dict(self.outputs))

    @stop_on_mistake
    def _declare(self, everything: Any) -> Mapping[str, Any]:
        if pulumi.contains_unknowns(everything):
            pulumi.log.warn("not previewed: not all of its arguments are known before they are applied", self)
            return {output.name: pulumi.UNKNOWN for output in OUTPUTS}
        values = {key: _as_written(value) for key, value in everything["given"].items()}
        return audit_cluster(configuration_of(values, lambda key: everything["secret"][key]), self._scope)


def _output(declared: pulumi.Output[Mapping[str, Any]], name: str) -> pulumi.Output[Any]:
    return declared.apply(lambda outputs: pulumi.Output.from_input(outputs.get(name)))


def _as_written(value: Any) -> Any:
    """Whole numbers as such: between a program and a component every number travels as a float."""
    if isinstance(value, Mapping):
        return {key: _as_written(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_written(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
