"""Changes a node by its own commands: as the stack does, but without Pulumi, and with edits that no plan would make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from auditlog.manifest import manifest
from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.nodes.change_result import ChangeResult, parse_result
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import make_plan
from auditlog.plan.transaction import staged_files, transaction_arguments
from auditlog.settings import RestartMode, Settings, parse_settings
from lab import node as lab_node
from lab.api import Node

OWNER = "test"
Edit = Callable[[str], str]


def unchanged(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Change:
    """How a change ended: its status, everything that it printed, the plan that it was made from."""

    status: int
    printed: str
    plan: NodePlan

    @property
    def result(self) -> ChangeResult:
        found = parse_result(self.printed)
        assert found is not None, self.printed
        return found


@dataclass(frozen=True, slots=True)
class NodeChanger:
    """One node and the policy that it is to have. ``settings`` are the stack's, as in its configuration file."""

    node: Node
    policy: str

    def facts(self) -> Facts:
        paths = {
            "policy": "/etc/kubernetes/audit-policy.yaml",
            "log": "/var/log/kubernetes/audit/audit.log",
            "webhook": "",
        }
        return parse_facts(self._run(node_scripts.facts_command("root", paths), node_scripts.bundle()).stdout)

    def plan(self, **settings: Any) -> NodePlan:
        return make_plan(self._settings(settings), self.policy, {self.node.name: self.facts()}, OWNER).nodes[0]

    def enable(self, edit: Edit = unchanged, policy: str | None = None, **settings: Any) -> Change:
        """What ``up`` does to the node, with this edit of the planned manifest and this policy if one is given."""
        plan = self.plan(**settings)
        script = node_scripts.bundle()
        self._run(node_scripts.install_command("root", script, "none"), script)
        desired, wanted = edit(plan.manifest.desired), policy or self.policy
        told: Mapping[str, str] = dict(plan.transaction)
        if desired != plan.manifest.desired:
            told = transaction_arguments(
                desired,
                RestartMode(told["mode"]),
                rehearsal=told["rehearsal"] == "yes",
                staged=staged_files(webhook=False),
            )
        staging = node_scripts.call(
            "root",
            "stage-policy",
            path=plan.policy.path,
            live=plan.policy.token,
            staged="none",
            desired=sha256(wanted),
        )
        self._run(staging, wanted)
        command = node_scripts.call(
            "root",
            "apply-manifest",
            live=plan.manifest.token,
            desired=sha256(desired),
            policy=plan.policy.path,
            policy_live=plan.policy.token,
            policy_desired=sha256(wanted),
            arguments=_arguments_sha256(desired),
            arguments_before=plan.arguments_live_sha256,
            endpoint=plan.endpoint,
            log="/var/log/kubernetes/audit/audit.log",
            marker="yes" if plan.marker_is_recorded else "no",
            restart=",".join(process.token for process in plan.processes_to_end) or "no",
            quarantine="/".join(f"{stray.name}@{stray.changed}" for stray in plan.quarantined) or "none",
            timeout="300",
            owner=OWNER,
            **told,
        )
        return self._change(command, desired, plan)

    def remove(self, **settings: Any) -> Change:
        """What ``destroy`` does to the manifest of the node."""
        plan = self.plan(**settings)
        before = plan.manifest.before or ""
        command = node_scripts.call_with_text(
            "root",
            "restore-manifest",
            before,
            written=sha256(plan.manifest.desired),
            restore=sha256(before),
            arguments=plan.arguments_before_sha256,
            endpoint=plan.endpoint,
            policy=plan.policy.path,
            timeout="300",
            **dict(plan.removal),
        )
        return self._change(command, "", plan)

    def _change(self, command: str, given: str, plan: NodePlan) -> Change:
        done = self._run(command, given, check=False)
        return Change(done.returncode, done.stdout + done.stderr, plan)

    def _settings(self, changed: Mapping[str, Any]) -> Settings:
        host = {"name": self.node.name, "host": self.node.address, "hostKey": self.node.host_key}
        return parse_settings({"cluster": "lab", "nodes": [host], **changed}, ("standard",))

    def _run(self, command: str, given: str, *, check: bool = True) -> lab_node.Completed:
        return lab_node.execute(self.node.state, ["sh", "-c", command], stdin=given, check=check)


def _arguments_sha256(text: str) -> str:
    return sha256("".join(f"{argument}\0" for argument in manifest.arguments(text)))


def restarts(node: Node) -> str:
    """The API servers that run, each with the time of its start: a restart makes it another text."""
    script = "for p in $(pgrep -x kube-apiserver); do echo $p $(cut -d ' ' -f 22 /proc/$p/stat); done"
    return node.run(script).stdout
