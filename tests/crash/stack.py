"""The stack of a node that may lose power: the real program plans, and the engine's rules are followed here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from auditlog.nodes import node_scripts
from tests.crash.node import CrashNode, Ran
from tests.unit.components.program import ARRIVED, PROJECT, Registration, run_program, stack_config
from tests.unit.plan.nodes import HOST_KEY

_COMMAND = "command:remote:Command"
_COMPARED = ("create", "update", "delete", "stdin")
Inputs = Mapping[str, str]


@dataclass
class CrashStack:
    """``settings`` are the stack's, as in its configuration file.

    ``state`` has the inputs of each Command that succeeded, in the order in which they were created. ``history`` is
    what it was from which moment of the node on.
    """

    node: CrashNode
    settings: Mapping[str, Any]
    state: dict[str, Inputs] = field(default_factory=dict)
    history: list[tuple[int, Mapping[str, Inputs]]] = field(default_factory=list)

    def state_at(self, moment: int) -> dict[str, Inputs]:
        """The state right before this moment of the node."""
        return dict(next(state for after, state in reversed(self.history) if after < moment))

    def changes(self) -> list[tuple[str, Inputs, str]]:
        """The Commands that ``up`` would run now, in their order: name, inputs, the text to run."""
        host = {"name": "cp1", "host": "cp1.example.com", "hostKey": HOST_KEY, "user": "root"}
        policy = self.settings["policy"].get("path", "/etc/kubernetes/audit-policy.yaml")
        facts = self.node.facts(policy, "/etc/kubernetes/audit-webhook.yaml")
        with pytest.MonkeyPatch.context() as patch:
            program = run_program(patch, self._configuration(host), {"cp1": facts})
        found: list[tuple[str, Inputs, str]] = []
        for resource in _in_order(program.resources):
            had = self.state.get(resource.name)
            wanted = {name: resource.inputs.get(name, "") for name in _COMPARED}
            if had is None:
                found.append((resource.name, wanted, wanted["create"]))
                continue
            kept = {name: had[name] for name in resource.ignore_changes if name in had}
            if wanted | kept != had:
                found.append((resource.name, wanted | kept, (wanted | kept)["update"]))
        return found

    def up(self) -> Ran:
        """Runs them until one fails, and then has the proof that events arrive; the last one's end."""
        ran = Ran(0, "")
        for name, inputs, text in self.changes():
            ran = self._run(text, inputs)
            if ran.status != 0:
                return ran
            self.state[name] = inputs
            self._remember()
        proof = node_scripts.sent_command("root", "keep-proof", proof=json.dumps(ARRIVED.outputs()))
        return self.node.run(proof, node_scripts.bundle())

    def destroy(self) -> Ran:
        """Deletes what is in the state, the last one first."""
        ran = Ran(0, "")
        for name in reversed(list(self.state)):
            ran = self._run(self.state[name]["delete"], self.state[name])
            if ran.status != 0:
                return ran
            del self.state[name]
            self._remember()
        return ran

    def _remember(self) -> None:
        self.history.append((self.node.count(), dict(self.state)))

    def _configuration(self, host: Mapping[str, str]) -> Mapping[str, str]:
        # The engine hands texts over as they are, and all else as JSON.
        texts = {f"{PROJECT}:{key}": value for key, value in self.settings.items() if isinstance(value, str)}
        return stack_config(nodes=[host], **self.settings) | texts

    def _run(self, text: str, inputs: Inputs) -> Ran:
        # The fakes of the API server come up at once or never.
        return self.node.run(text.replace("timeout=300", "timeout=0"), inputs["stdin"])


def _in_order(resources: Mapping[str, Registration]) -> list[Registration]:
    commands = {name: each for name, each in resources.items() if each.type == _COMMAND}
    done: list[Registration] = []
    while len(done) < len(commands):
        names = {each.name for each in done}
        ready = [
            each
            for name, each in commands.items()
            if name not in names and (each.depends_on & commands.keys()) <= names
        ]
        assert ready, "the Commands wait for one another"
        done.append(ready[0])
    return done
