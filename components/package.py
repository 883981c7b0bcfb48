"""The Pulumi package: serves ``AuditLogging`` to programs in any language."""

from __future__ import annotations

import sys
from typing import Any

import pulumi
from pulumi import provider

from auditlog.settings.package_schema import COMPONENT, package_schema_text, package_version
from components.audit_logging import AuditLogging
from components.cluster_resources import ClusterResources


class Package(provider.Provider):
    """Constructs the one component there is; its schema comes from the declarations of the settings."""

    def __init__(self) -> None:
        super().__init__(package_version(), package_schema_text())

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> provider.ConstructResult:
        """The component with its outputs. Raises ValueError for another type."""
        if resource_type != COMPONENT:
            raise ValueError(f"{resource_type} is no resource of this package; allowed: {COMPONENT}")
        component = _Constructed(name, inputs, options)
        return provider.ConstructResult(component.urn, dict(component.outputs))


class _Constructed(AuditLogging):
    """The component of another process's program, which gets an error as an answer and not as an exception."""

    async def _declare(self, everything: Any) -> ClusterResources:
        try:
            return await super()._declare(everything)
        except pulumi.RunError as error:
            # Without a list the SDK has no metadata for its answer and fails. It stays empty: the text has the keys.
            raise pulumi.InputPropertiesError(str(error), []) from error


def serve() -> None:
    """Serves the package to the engine whose address is the first argument, until it ends this process."""
    provider.main(Package(), sys.argv[1:])
