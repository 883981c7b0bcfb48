"""Audit logging of one cluster as a component: what other programs declare, in Python or through the package."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import pulumi

from auditlog.settings.outputs import OUTPUTS
from auditlog.settings.package_schema import COMPONENT
from auditlog.stack_file.configuration import SECRET_STEPS
from components.arguments import AuditLoggingArgs
from components.cluster import audit_cluster_meanwhile, unknown_cluster
from components.cluster_resources import ClusterResources, Part
from components.configuration import Configuration, configuration_of
from components.everything_below import EverythingBelow
from components.outcome import stopping_on_mistakes
from components.scope import ANY_OBJECT, Scope
from components.untouched import Untouched, unknown_arguments, with_placeholders

_WITH_SECRETS = {steps[0] for steps in SECRET_STEPS}


class AuditLogging(pulumi.ComponentResource):
    """Audit logging for one cluster: everything that a stack of this project has, below one component.

    Args:
        name: The component's name. Its resources' names begin with it, and the nodes record it as part of the owner.
        args: The settings of ``docs/settings.md`` by their keys, secrets included.
        opts: Resource options. ``providers`` may hold ``kubernetes`` and ``command``.

    The nodes are read once all arguments are known. If a preview does not know one, the resources stay as they are and
    the outputs are unknown. An update fails before any change. Errors in the arguments raise ``pulumi.RunError`` with
    one line each, before any node is contacted.

    ``outputs`` holds each output of ``docs/settings.md`` by its name; each is an attribute too.
    """

    outputs: Mapping[str, pulumi.Output[Any]]

    def __init__(
        self,
        name: str,
        args: AuditLoggingArgs | Mapping[str, pulumi.Input[Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # What is shown as the component's own are not its secrets; the resources that need them keep them encrypted.
        shown = {key: value for key, value in args.items() if key not in _WITH_SECRETS}
        self._untouched = Untouched()
        super().__init__(COMPONENT, name, shown, pulumi.ResourceOptions.merge(opts, self._untouched.options))
        self._scope = Scope.of_component(self, name)
        given = {key: pulumi.Output.from_input(value) for key, value in args.items()}
        secret = {key: value.is_secret() for key, value in given.items()}
        # Not secret as a whole: each part is made secret again where it is used, and the outputs hold none.
        everything = pulumi.Output.unsecret(pulumi.Output.from_input({"given": given, "secret": secret}))
        declared: pulumi.Output[ClusterResources] = everything.apply(self._declare, run_with_unknowns=True)
        for part in Part:
            EverythingBelow(self, declared.apply(functools.partial(self._last, part)))
        self.outputs = {output.name: _output(declared, output.name) for output in OUTPUTS}
        self.register_outputs(dict(self.outputs))

    # The SDK takes annotations of a class for the types of its inputs too, which have some of these names.

    @property
    def cluster(self) -> pulumi.Output[str]:
        """The cluster's name."""
        return self.outputs["cluster"]

    @property
    def policy(self) -> pulumi.Output[Mapping[str, str]]:
        """Where the audit policy comes from, and its hash."""
        return self.outputs["policy"]

    @property
    def nodes(self) -> pulumi.Output[Mapping[str, Mapping[str, Any]]]:
        """What the stack knows of each node, by name."""
        return self.outputs["nodes"]

    @property
    def log_path(self) -> pulumi.Output[str | None]:
        """The log on the nodes; None without one."""
        return self.outputs["logPath"]

    @property
    def queries(self) -> pulumi.Output[Mapping[str, str]]:
        """LogQL by the name of the question."""
        return self.outputs["queries"]

    @property
    def on_node_search(self) -> pulumi.Output[str | None]:
        """The command that searches the log on a node; None without a log."""
        return self.outputs["onNodeSearch"]

    @property
    def dashboards(self) -> pulumi.Output[Mapping[str, Mapping[str, str]]]:
        """Title and path of each dashboard, by uid."""
        return self.outputs["dashboards"]

    @property
    def rule_groups(self) -> pulumi.Output[Mapping[str, Sequence[str]]]:
        """The names of the rule groups for Loki and Prometheus."""
        return self.outputs["ruleGroups"]

    @property
    def proof(self) -> pulumi.Output[Mapping[str, Mapping[str, Any]] | None]:
        """The proof of each node, by name; None where it is switched off."""
        return self.outputs["proof"]

    @property
    def alloy(self) -> pulumi.Output[Mapping[str, str] | None]:
        """How events are shipped; None where they are not."""
        return self.outputs["alloy"]

    async def _declare(self, everything: Any) -> ClusterResources:
        values = {key: _as_written(value) for key, value in everything["given"].items()}
        unknown = unknown_arguments(values)
        with stopping_on_mistakes():
            if unknown:
                return self._declare_unknown(values, ", ".join(unknown))
            secret = {key for key, is_secret in everything["secret"].items() if is_secret}
            scope = replace(self._scope, secret_arguments=frozenset(secret - _WITH_SECRETS))
            return await audit_cluster_meanwhile(self._configuration(values, secret), scope)

    def _configuration(self, values: Mapping[str, Any], secret: Set[str]) -> Configuration:
        # Where the program gives the provider of the cluster, no kubeconfig is needed.
        provides = self._scope.given_provider(ANY_OBJECT) is not None and not values.get("kubeconfigFile")
        given = {"kubeconfig": "the provider's"} if provides else {}
        return configuration_of({**values, **given}, lambda key: key in secret | given.keys())

    def _declare_unknown(self, values: Mapping[str, Any], unknown: str) -> ClusterResources:
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(f"{unknown}: not known, although this is no preview; nothing was changed.")
        known = with_placeholders(values)
        if known is None:
            pulumi.log.warn(
                f"not previewed: {unknown} is not known yet, and so the nodes' names are not. Nodes that the stack has "
                "are shown as deleted; up changes them only by what is known then",
                self,
            )
            return ClusterResources(dict.fromkeys((output.name for output in OUTPUTS), pulumi.UNKNOWN), {})
        pulumi.log.warn(f"not previewed: {unknown} is not known yet; every resource is shown as it is", self)
        self._untouched.applies = True
        declared = unknown_cluster(self._configuration(known, known.keys()), self._scope)
        return ClusterResources(dict.fromkeys(declared.outputs, pulumi.UNKNOWN), declared.last)

    def _last(self, part: Part, declared: ClusterResources) -> pulumi.Output[str]:
        """What a part ends with, once all of it is there. A part that the cluster lacks ends with the nodes."""
        resources = declared.last.get(part) or declared.last.get(Part.NODES, ())
        urns = [resource.urn for resource in resources]
        return pulumi.Output.all(self.urn, *urns).apply(lambda done: done[-1])


def _output(declared: pulumi.Output[ClusterResources], name: str) -> pulumi.Output[Any]:
    return declared.apply(lambda found: pulumi.Output.from_input(found.outputs.get(name)))


def _as_written(value: Any) -> Any:
    """Whole numbers as such: between a program and a component every number travels as a float."""
    if isinstance(value, Mapping):
        return {key: _as_written(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_written(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
