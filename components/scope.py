"""Whose the resources are: the program's own, or those of one ``AuditLogging`` in another program."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

ANY_OBJECT = "kubernetes:core/v1:ConfigMap"
"""A type of the Kubernetes provider's package."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the resources of one cluster stand in a stack.

    ``owner`` is written on the nodes, so that no other stack changes them. This project's own program has no ``parent``
    and no ``prefix``: both are parts of a URN, and another URN would take audit logging off every node of the stacks
    that exist. A URN has the types of the parents but not their names, so in another program ``prefix``, which comes
    before every name, keeps several clusters apart. ``secret_arguments`` are those of the component that were given as
    secrets although they hold no credentials: what is made of them is kept secret.
    """

    owner: str
    parent: pulumi.Resource | None = None
    prefix: str = ""
    secret_arguments: frozenset[str] = frozenset()

    @classmethod
    def of_program(cls) -> Scope:
        """The whole stack is one cluster's."""
        return cls(f"{pulumi.get_project()}/{pulumi.get_stack()}")

    @classmethod
    def of_component(cls, component: pulumi.ComponentResource, name: str) -> Scope:
        """The stack holds the cluster's resources below a component of this name, beside others."""
        return cls(f"{pulumi.get_project()}/{pulumi.get_stack()}/{name}", component, f"{name}-")

    @property
    def hides_texts(self) -> bool:
        """Whether the texts on the nodes are secret: an argument that they are made of is."""
        return bool(self.secret_arguments - {"nodes"})

    @property
    def hides_nodes(self) -> bool:
        """Whether the addresses of the nodes are secret."""
        return "nodes" in self.secret_arguments

    @property
    def component(self) -> str:
        """The component's name; "" in this project's own program."""
        return self.prefix.removesuffix("-")

    def name(self, name: str) -> str:
        """The name in the stack of what is called ``name`` within the cluster."""
        return self.prefix + name

    def former(self, entry: str | None, suffix: str = "") -> str | None:
        """The name that a node's resource had while the node's entry was called ``entry``; None where it was not."""
        return None if entry is None else self.name(f"{entry}{suffix}")

    def given_provider(self, token: str) -> pulumi.ProviderResource | None:
        """The provider of ``token``'s package that the other program gave to the component, if any."""
        return self.parent.get_provider(token) if self.parent else None

    def options(self, provider: pulumi.ProviderResource | None = None) -> pulumi.ResourceOptions:
        """The options of a resource that has no parent but the scope's."""
        return pulumi.ResourceOptions(parent=self.parent, provider=provider)
