"""Resources that stay in the stack as they are, because something about them is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

COMMAND_INPUTS = (
    *("connection", "create", "update", "delete", "stdin", "addPreviousOutputInEnv", "logging"),
    *("environment", "triggers"),
)
"""What this program sets on a Command."""

_OBJECT_INPUTS = ("metadata", "spec", "data", "stringData", "automountServiceAccountToken")
_PROVIDER_INPUTS = ("kubeconfig", "clusterIdentifier", "enableConfigMapMutable", "enableSecretMutable")

_PLACEHOLDERS: Mapping[tuple[str, ...], str] = {
    ("cluster",): "unknown",
    ("sshPrivateKey",): "unknown",
    ("sshReadingPrivateKey",): "unknown",
    ("kubeconfig",): "unknown",
    ("kubeconfigFile",): "/dev/null",
    **{
        (group, key): value
        for group in ("nodes", "bastion")
        for key, value in (
            ("host", "unknown.invalid"),
            ("hostKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        )
    },
    ("loki", "url"): "https://unknown.invalid",
    ("webhook", "server"): "https://unknown.invalid",
}


class Untouched:
    """Keeps every resource below a component as it is, once ``applies`` is set.

    Pass ``options`` to the component. The resources that are declared later keep the inputs that the stack has.
    """

    applies: bool

    def __init__(self) -> None:
        self.applies = False

    @property
    def options(self) -> pulumi.ResourceOptions:
        """The option that children inherit."""
        return pulumi.ResourceOptions(transformations=[self._ignore_changes])

    def _ignore_changes(
        self, arguments: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        if not (self.applies and isinstance(arguments.resource, pulumi.CustomResource)):
            return None
        inputs = [*COMMAND_INPUTS, *_OBJECT_INPUTS, *_PROVIDER_INPUTS]
        options = pulumi.ResourceOptions.merge(arguments.opts, pulumi.ResourceOptions(ignore_changes=inputs))
        return pulumi.ResourceTransformationResult(arguments.props, options)


def with_placeholders(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments with a placeholder for each required value that is not known, and without the others.

    They name the resources of a cluster and nothing else. None if the name of a node is not known.
    """
    nodes = arguments.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) and _is_known(node, "name") for node in nodes):
        return None
    return {key: value for key, given in arguments.items() for value in _known(given, (key,))}


def unknown_arguments(arguments: Mapping[str, Any]) -> list[str]:
    """The arguments at the top that are not wholly known."""
    return [key for key, value in arguments.items() if pulumi.contains_unknowns(value)]


def _is_known(node: Mapping[str, Any], key: str) -> bool:
    return not pulumi.contains_unknowns(node.get(key))


def _known(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """The value as far as it is known: none or one."""
    if isinstance(value, Mapping):
        yield {key: known for key, entry in value.items() for known in _known(entry, (*steps, key))}
    elif isinstance(value, list):
        yield [known for entry in value for known in _known(entry, steps)]
    elif not pulumi.contains_unknowns(value):
        yield value
    elif steps in _PLACEHOLDERS:
        yield _PLACEHOLDERS[steps]
