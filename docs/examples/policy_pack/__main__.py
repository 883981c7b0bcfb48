"""A policy pack (CrossGuard) for stacks that audit a cluster, of this project or with its component.

It reads what is declared, not the nodes: the manifest and the policy of each node are the ``stdin`` of its Commands.

    pulumi preview --policy-pack docs/examples/policy_pack [--policy-pack-config FILE]
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

COMMAND = "command:remote:Command"
MANIFEST_OF = "kubernetes-audit:index:ControlPlaneNode"
POLICY_OF = "kubernetes-audit:index:AuditPolicy"


def is_command_of(component: str, urn: str) -> bool:
    """Whether the URN is of a Command below a component of this type."""
    return f"{component}${COMMAND}::" in urn


def stack_of(urn: str) -> str:
    return urn.split(":")[2]


def flags(manifest: str, name: str) -> Iterator[str]:
    """The values of a flag of the API server."""
    yield from re.findall(rf"--{name}=([^\s\"']*)", manifest)


def every_node_is_audited(args: StackValidationArgs, report: ReportViolation) -> None:
    """As many nodes as ``nodes`` says have a manifest, and each of these manifests names an audit policy."""
    manifests = [each for each in args.resources if is_command_of(MANIFEST_OF, each.urn)]
    wanted = int(args.get_config()["nodes"])
    if len(manifests) < wanted:
        report(f"{len(manifests)} control-plane nodes are audited; required: {wanted}", None)
    for each in manifests:
        if not any(flags(str(each.props["stdin"]), "audit-policy-file")):
            report(f"{each.name}: the manifest has no --audit-policy-file", each.urn)


def production_has_an_allowed_preset(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """A shipped preset says its name in its first line. A policy of somebody's own has none, and is not judged."""
    config = args.get_config()
    if not is_command_of(POLICY_OF, args.urn) or not re.search(str(config["stacks"]), stack_of(args.urn)):
        return
    named = re.match(r"# ([a-z-]+): ", str(args.props["stdin"]))
    allowed = [str(each) for each in config["presets"]]
    if named and named[1] not in allowed:
        report(f"{args.name}: the preset is {named[1]}; allowed in this stack: {', '.join(allowed)}")


def logs_are_kept(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """0 days, or no such flag, is no limit by age."""
    if not is_command_of(MANIFEST_OF, args.urn):
        return
    wanted = int(args.get_config()["days"])
    for days in flags(str(args.props["stdin"]), "audit-log-maxage"):
        if 0 < int(days) < wanted:
            report(f"{args.name}: the log is kept for {days} days; required: {wanted}")


PolicyPack(
    name="kubernetes-audit",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        StackValidationPolicy(
            name="every-node-is-audited",
            description="Audit logging is declared for each control-plane node.",
            validate=every_node_is_audited,
            config_schema=PolicyConfigSchema(properties={"nodes": {"type": "integer", "default": 1}}),
        ),
        ResourceValidationPolicy(
            name="production-has-an-allowed-preset",
            description="Production records at least what the presets of this list record.",
            validate=production_has_an_allowed_preset,
            config_schema=PolicyConfigSchema(
                properties={
                    "stacks": {"type": "string", "default": "prod"},
                    "presets": {
                        "type": "array",
                        "items": {"type": "string"},
                        "default": ["standard", "cis", "forensic"],
                    },
                }
            ),
        ),
        ResourceValidationPolicy(
            name="logs-are-kept",
            description="The log on a node is kept long enough.",
            validate=logs_are_kept,
            config_schema=PolicyConfigSchema(properties={"days": {"type": "integer", "default": 30}}),
        ),
    ],
)
