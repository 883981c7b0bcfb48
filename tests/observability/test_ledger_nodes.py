"""The ledger on a real control plane: over SSH, with the API server's counter. The tests are steps, in this order."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditlog.ledger import examine, run
from lab import node as lab_node
from lab.api import Lab, Node
from lab.environment import environment
from lab.observability.load import Load
from lab.observability.stack import Observability
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.lab.test_access import REMOVE_READER, documented
from tests.lab.test_first_stack import PROCESS
from tests.observability.ledger_answer import Answer, ask_ledger
from tests.observability.shipping import NAMESPACE, cleared, eventually

LOG = "/var/log/kubernetes/audit/audit.log"
LEDGER = "/etc/kubernetes/audit-logging/ledger"
READER = "auditor"
ROOM = 600_000
"""Bytes of the log up to which some hundred events do not make it rotate."""
SETTLED = 10
"""Seconds, in place of two minutes."""


@dataclass(frozen=True)
class Ledger:
    """The stack's ledger, with one chain."""

    stack: PulumiStack
    key: Path
    chain: Path

    def ask(self, *options: str) -> Answer:
        asked = ("--stack", str(self.stack.file), "--identity", str(self.key), "--chain", str(self.chain))
        return ask_ledger(*asked, *options)


@pytest.fixture(scope="module")
def ledger(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    patch = pytest.MonkeyPatch()
    for module in (examine, run):
        patch.setattr(module, "SETTLED", SETTLED)
    with cleared(lab):
        observability.configure(stack, policy={"preset": "standard"}, auditLog={"maxSize": 1, "compress": True})
        stack.run("up", "--yes", "--skip-preview")
        yield Ledger(stack, lab.paths.ssh_key, tmp_path_factory.mktemp("chain") / "chain.jsonl")
    patch.undo()


def a_whole_minute() -> None:
    """Wait until what was just done is in a minute that has settled."""
    time.sleep(60 - time.time() % 60 + SETTLED + 2)


def size_of_log(node: Node) -> int:
    return int(node.run(f"stat -c %s {LOG}").stdout)


def requests(lab: Lab, count: int) -> None:
    with Load(lab, count, 300) as load:
        load.wait_for(1)


def test_real_events_over_rotations_are_complete_and_agree_with_the_counter(
    lab: Lab, ledger: Ledger, node: Node, observability: Observability
) -> None:
    # The first minute of the files is not whole.
    a_whole_minute()
    ledger.ask()
    requests(lab, 4000)
    eventually(lambda: node.run(f"ls {LOG[:-4]}-2*.gz | wc -l").stdout.strip(), lambda count: int(count) >= 2)
    a_whole_minute()
    answer = ledger.ask()
    assert answer.kinds == set()
    assert answer.code == 0
    found = answer.node
    assert found["events_in_files"] == found["events_in_loki"] >= 4000, answer.values
    counter = found["counter"]
    assert counter["known"]
    assert 4000 <= counter["events_in_files_at_least"] <= counter["events"] <= counter["events_in_files_at_most"]
    assert answer.values["bytes_from_nodes"] + answer.values["bytes_from_loki"] < 40_000
    answer = ledger.ask("--prometheus", observability.prometheus.url)
    counter = answer.node["counter"]
    assert counter["known"]
    assert 4000 <= counter["events_in_files_at_least"] <= counter["events"] <= counter["events_in_files_at_most"]


def test_an_account_that_can_do_nothing_else_gets_the_same(
    lab: Lab, ledger: Ledger, node: Node, observability: Observability, tmp_path: Path
) -> None:
    node.run(REMOVE_READER, check=False)
    key = tmp_path / "id_ed25519"
    lab_node.make_key(key, READER)
    home, public = f"/home/{READER}", key.with_suffix(".pub").read_text().strip()
    authorized = documented(f'command="sudo -n {LEDGER}"').replace("ssh-ed25519 AAAA…", public)
    sudoers = documented("secure_path").replace("/facts", "/ledger")
    node.run(
        f"useradd --create-home --password '*' --shell /bin/sh {READER} && install -d -m 700 -o {READER} {home}/.ssh &&"
        f" cat >{home}/.ssh/authorized_keys <<'END' && chown -R {READER} {home}/.ssh\n{authorized}END\n"
    )
    node.run(f"cat >/etc/sudoers.d/{READER} <<'END' && chmod 440 /etc/sudoers.d/{READER}\n{sudoers}END\n")
    try:
        observability.configure(
            ledger.stack,
            policy={"preset": "standard"},
            auditLog={"maxSize": 1, "compress": True},
            reading={"user": READER},
        )
        reading = Ledger(ledger.stack, key, tmp_path / "chain.jsonl")
        answer = reading.ask("--loki", observability.loki.url)
        assert (answer.code, answer.kinds) == (0, set())
        assert answer.node["events_in_files"] == answer.node["events_in_loki"] >= 4000
        given = {"SSH_LEDGER_KEY": key.read_text(), "LOKI_URL": observability.loki.url, "SINCE": "30m"}
        script = subprocess.run(
            [REPOSITORY / "ci/ledger", ledger.stack.name, tmp_path / "kept"],
            env={**environment(lab.paths), **os.environ, **given, "STACK_FILE": str(ledger.stack.file)},
            capture_output=True,
            text=True,
            check=False,
        )
        report = json.loads((tmp_path / "kept" / "ledger.json").read_text())
        # The files begin with this test, which half an hour before is no loss of.
        assert script.returncode == report["exit_code"], script.stderr
        assert "the files of cp1 begin at" in str(report["findings"])
        assert script.stdout.startswith(f"{report['verdict']}: ")
        assert (tmp_path / "kept" / "chain.jsonl").read_text().count("\n") == 1
        as_reader = [*lab_ssh(ledger, key), f"{READER}@{node.address}"]
        for command in ("id", f"sudo -n {LEDGER}", "cat /etc/shadow"):
            tried = subprocess.run(
                [*as_reader, command], input="apply-manifest\n", capture_output=True, text=True, check=False
            )
            assert (tried.returncode, tried.stdout) == (1, ""), tried
            assert "unknown question 'apply-manifest'" in tried.stderr
        refused = node.run(
            f"setpriv --reuid={READER} --regid={READER} --init-groups sudo -n {LEDGER} log=/etc/shadow", check=False
        )
        assert refused.returncode != 0
        assert "password is required" in refused.stderr
    finally:
        node.run(REMOVE_READER, check=False)
        observability.configure(ledger.stack, policy={"preset": "standard"}, auditLog={"maxSize": 1, "compress": True})


def lab_ssh(ledger: Ledger, key: Path) -> list[str]:
    options = ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    words = ["ssh", "-F", "none", "-q", "-i", str(key)]
    assert ledger.key != key
    return [*words, *(word for option in options for word in ("-o", option))]


def test_a_restart_of_the_api_server_is_no_loss_and_its_counter_not_known(lab: Lab, ledger: Ledger, node: Node) -> None:
    ledger.ask()
    node.run(f"{PROCESS} kill -KILL $(basename ${{comm%/comm}}); done", check=False)
    time.sleep(3)
    lab.wait_ready()
    requests(lab, 500)
    a_whole_minute()
    answer = ledger.ask()
    assert (answer.code, answer.kinds) == (0, set())
    assert "restarted" in answer.node["counter"]["reason"]


def test_an_alloy_that_is_gone_and_events_that_no_side_holds(lab: Lab, ledger: Ledger, node: Node) -> None:
    ledger.ask()
    nowhere = '{"spec":{"template":{"spec":{"nodeSelector":{"no":"where"}}}}}'
    lab.kubectl("-n", NAMESPACE, "patch", "daemonset", "alloy-audit", "--type=merge", "-p", nowhere)
    eventually(lambda: lab.kubectl("-n", NAMESPACE, "get", "pods", "-o", "name"), lambda pods: not pods)
    requests(lab, 300)
    a_whole_minute()
    answer = ledger.ask()
    assert answer.code == 1
    assert answer.kinds == {"not-shipped"}
    assert answer.of("not-shipped")["count"] >= 300
    assert "there is no pod of Alloy" in answer.of("not-shipped")["sentence"]
    # What was written since is taken out of the log, in place, and has never been shipped.
    while size_of_log(node) > ROOM:
        requests(lab, 100)
    ledger.ask()
    kept = size_of_log(node)
    requests(lab, 200)
    node.run(f"truncate -s {kept} {LOG}")
    a_whole_minute()
    answer = ledger.ask()
    assert {"not-shipped", "fewer-than-counted"} <= answer.kinds
    lost = answer.of("fewer-than-counted")
    assert 150 <= lost["count"] <= 300
    assert lost["events"] == []
    anywhere = '{"spec":{"template":{"spec":{"nodeSelector":{"no":null}}}}}'
    lab.kubectl("-n", NAMESPACE, "patch", "daemonset", "alloy-audit", "--type=merge", "-p", anywhere)
    answer = eventually(ledger.ask, lambda answer: "not-shipped" not in answer.kinds)
    # A file that the API server has made itself is written on where it was, so that zeroes stand in what was cut.
    assert answer.kinds <= {"no-event-lines"}


def test_a_log_that_was_deleted_while_the_api_server_writes_it(lab: Lab, ledger: Ledger, node: Node) -> None:
    node.run(f"rm {LOG}")
    requests(lab, 100)
    answer = ledger.ask()
    assert answer.code == 1
    assert answer.of("detached-file")["sentence"].startswith(f"the API server writes to {LOG} (deleted)")
    assert answer.of("detached-file")["count"] >= 100


def test_destroy_takes_the_script_away(ledger: Ledger, node: Node) -> None:
    assert node.run(f"test -x {LEDGER}").returncode == 0
    ledger.stack.run("destroy", "--yes", "--skip-preview")
    assert node.run(f"ls -d {LEDGER} || true").stdout == ""
