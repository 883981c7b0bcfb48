"""Whose the resources are: the program's own, or one ``AuditLogging``'s in another program."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

ANY_OBJECT = "kubernetes:core/v1:ConfigMap"
"""A type of the Kubernetes provider's package."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The place of one cluster's resources in a stack."""

    owner: str
    """Is written on the nodes, so that no other stack changes them."""
    parent: pulumi.Resource | None = None
    """The component in another program; None in this project's own. It is a part of URNs, and another URN would turn
    audit logging off on every node of existing stacks."""
    prefix: str = ""
    """Comes before every name in another program, empty in this project's own. A URN has the types of the parents but
    not their names, so this keeps several clusters apart."""
    secret_arguments: frozenset[str] = frozenset()
    """Arguments of the component that were given as secrets although they hold no credentials. What is made of them is
    kept secret."""
    take_over: str | None = None
    """The setting."""

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
        moved = self.take_over is not None and self._former_component != self.component
        former: list[pulumi.ResourceTransformation] = [self._alias_former] if moved else []
        return pulumi.ResourceOptions(parent=self.parent, provider=provider, transformations=former)

    @property
    def _former_component(self) -> str:
        """The component of the owner that nodes are taken over from; "" for this project's own program."""
        return "".join((self.take_over or "").split("/", 2)[2:])

    def _alias_former(self, arguments: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """The resource's place below the former component, or in this project's own program.

        It is within today's stack. The engine rewrites the names of stack and project when either is renamed, and when
        resources move to another stack.
        """
        if not arguments.name.startswith(self.prefix):
            return None
        # Few runs need it, and it takes long to be imported.
        from auditlog.settings.package_schema import COMPONENT

        before = f"{self._former_component}-" if self._former_component else ""
        name = before + arguments.name.removeprefix(self.prefix)
        opts = arguments.opts
        above = [opts.parent._type] if opts.parent is not None and opts.parent is not self.parent else []
        types = "$".join([*above, arguments.type_])
        # Resources that moved to this stack without their component stand at its top.
        chains = [types, f"{COMPONENT}${types}"] if before else [types]
        stack = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}"
        aliases: list[str | pulumi.Alias] = [f"{stack}::{chain}::{name}" for chain in chains]
        if before and self.parent:
            aliases.append(pulumi.Alias(name=name))
        merged = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=aliases))
        return pulumi.ResourceTransformationResult(arguments.props, merged)
