"""What a stack does to a node, each from a node in a state that it can find."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditlog.manifest.desired import sha256
from tests.crash.node import CrashNode, Ran
from tests.crash.stack import CrashStack

_WEBHOOK = {"server": "https://siem.example.com/audit", "token": "first-token"}
FIRST: Mapping[str, Any] = {"policy": {"preset": "low-write"}, "webhook": _WEBHOOK}
QUICK: Mapping[str, Any] = {
    "policy": {"preset": "standard"},
    "auditLog": {"maxAge": 7},
    "webhook": _WEBHOOK | {"token": "second-token"},
    "restart": "quick",
    "acceptLostEvents": True,
}
MOVED: Mapping[str, Any] = {
    "policy": {"preset": "standard", "path": "/etc/kubernetes/audit/policy.yaml"},
    "webhook": _WEBHOOK,
    "restart": "drain",
}
ANNOTATED: Mapping[str, Any] = {**FIRST, "annotations": {"delivery": "files"}}
LESS_ANNOTATED: Mapping[str, Any] = {**FIRST, "annotations": {"delivery": "files", "leaveOut": ["workload"]}}


@dataclass(frozen=True, slots=True)
class Operation:
    """``before`` are the settings of an earlier ``up``, None for a node that has had none; ``settings`` those of now.

    ``put_back``: the API server does not start with the new manifest. ``resumed``: an earlier try lost its power, and
    this is about to run then. ``removes``: it is a ``destroy``. ``reloads``: no API server has to end for it, nor for
    what is left of it. ``found``: files that were there before audit logging, by their paths.
    """

    name: str
    settings: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    put_back: bool = False
    resumed: str | None = None
    removes: bool = False
    reloads: bool = False
    found: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def furnish(self, node: CrashNode) -> None:
        """What somebody had on the node before its first stack. The disk is mounted."""
        for path, text in self.found.items():
            file = node.on_disk(path)
            file.write_text(text)
            file.chmod(0o600)
        os.sync()

    def prepare(self, stack: CrashStack) -> None:
        """Up to the moment at which the operation begins; its last part is done again after every power cut."""
        if self.before is not None:
            stack.settings = self.before
            _succeeds(stack.up)
        stack.settings = self.settings
        if self.resumed is not None:
            stack.node.cut_power_at(self.resumed)
            ran = stack.up()
            assert ran.cut_at is not None, ran.printed
            stack.node.boot()

    def run(self, stack: CrashStack) -> Ran:
        if self.removes:
            return stack.destroy()
        if self.put_back:
            wanted = {name: inputs for name, inputs, _ in stack.changes()}["cp1-manifest"]["stdin"]
            stack.node.cannot_start_with(sha256(wanted))
        return stack.up()


def _succeeds(run: Callable[[], Ran]) -> None:
    ran = run()
    assert ran.status == 0, ran.printed


_BY_HAND = {"/etc/kubernetes/audit-policy.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"}
_EXCHANGED = "sync /etc/kubernetes/manifests /etc/kubernetes/audit-logging"
OPERATIONS = (
    Operation("first up", FIRST),
    Operation("first up, put back", FIRST, put_back=True),
    Operation("quick update", QUICK, before=FIRST),
    Operation("quick update, put back", QUICK, before=FIRST, put_back=True),
    Operation("policy moved", MOVED, before=FIRST),
    Operation("first up, resumed", FIRST, resumed=_EXCHANGED),
    Operation("quick update, resumed", QUICK, before=FIRST, resumed=_EXCHANGED),
    Operation("destroy", QUICK, before=QUICK, removes=True),
    Operation("first up, annotations from files", ANNOTATED),
    Operation("annotations changed", LESS_ANNOTATED, before=ANNOTATED, reloads=True),
    Operation("destroy, a policy from before", FIRST, before=FIRST, removes=True, found=_BY_HAND),
    Operation("destroy, annotations from files", ANNOTATED, before=ANNOTATED, removes=True),
)
