"""A change of the admission policies' file alone: no API server ends for it, and what somebody else writes is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import Node
from tests.unit.node.test_other_writers import WAYS, other_writer

# Between reading and the exchange, and between the exchange and the last entry of the journal.
MOMENTS = [
    "at back-up",
    "at swap",
    "right before an exchange",
    "right after an exchange",
    "at own",
    "at finish",
]


@pytest.fixture
def policies(node: Node) -> Path:
    """The live file of policies; a new one is staged. All else is as it shall be, and its API server runs."""
    folder = node.folder / "policies"
    folder.mkdir()
    file = folder / "ours.yaml"
    file.write_text("old policies")
    (node.folder / "admission").write_text("old admission")
    staged = node.folder / "state/staged"
    for name, text in {
        "kube-apiserver": "old manifest",
        "audit-policy": "old policy",
        "audit-admission": "old admission",
        "audit-static-policies": "new policies",
    }.items():
        (staged / f"{name}.yaml").write_text(text)
    node.says("healthy")
    node.says("new-runs")
    node.says("pids", "77\n")
    return file


def change(node: Node, policies: Path, *, reloads: bool = True) -> str:
    """The call of the transaction that puts the new policies in place."""
    given = {
        "desired": sha256("old manifest"),
        "live": f"{sha256('old manifest')}@1",
        "policy": node.policy,
        "policy-live": f"{sha256('old policy')}@1",
        "policy-desired": sha256("old policy"),
        "admission": node.folder / "admission",
        "admission-live": f"{sha256('old admission')}@1",
        "admission-desired": sha256("old admission"),
        "static-policies": policies,
        "static-policies-live": f"{sha256('old policies')}@1",
        "static-policies-desired": sha256("new policies"),
        **({"reloads": "yes"} if reloads else {}),
        "arguments": "a",
        "arguments-before": "a",
        "endpoint": "e",
        "timeout": 5,
        "log": "/nowhere",
        "marker": "no",
        "owner": "stack",
    }
    return "transaction enable " + " ".join(f"{name}={value}" for name, value in given.items()) + " 2>&1"


def test_no_api_server_ends_and_the_journal_says_so_while_it_is_under_way(node: Node, policies: Path) -> None:
    seen = 'await_policies() { cp "$STATE/journal" "$STATE/seen"; }\n'
    said = node.run(seen + change(node, policies))
    assert policies.read_text() == "new policies", said
    assert not (node.folder / "state/killed").exists()
    assert "reloads=yes" in (node.folder / "state/seen").read_text().splitlines()
    assert node.entries() == {}


@pytest.mark.parametrize("step", ["swap", "policies", "put-back", "restored"])
def test_one_that_was_cut_off_is_finished_without_a_restart(node: Node, policies: Path, step: str) -> None:
    cut_off = f'step() {{ record "step=$1"; [ "$1" != {step} ] || exit 9; }}\n'
    if step in ("put-back", "restored"):
        cut_off += "await_policies() { problem=refused; return 1; }\n"
    node.run(f"{cut_off}({change(node, policies)})")
    assert node.entries()["step"] == step
    assert node.entries()["reloads"] == "yes"
    said = node.run(change(node, policies))
    assert policies.read_text() == "new policies", said
    assert node.entries() == {}
    assert not (node.folder / "state/killed").exists(), said
    assert "manifest: running and healthy" in said


def test_a_full_change_that_goes_on_with_it_is_a_full_change_from_then_on(node: Node, policies: Path) -> None:
    node.run(f'step() {{ record "step=$1"; [ "$1" != policies ] || exit 9; }}\n({change(node, policies)})')
    node.run(f"await_old_gone() {{ exit 9; }}\n({change(node, policies, reloads=False)})")
    assert node.entries()["reloads"] == ""


# Each way at the exchange, where it makes a difference.
WRITERS = [
    *((moment, "rename", name) for moment in MOMENTS for name in ("policies", "admission")),
    *((moment, way, "policies") for moment in MOMENTS if "exchange" in moment for way in [*WAYS][1:]),
]


@pytest.mark.parametrize(("moment", "way", "name"), WRITERS)
def test_what_somebody_else_writes_meanwhile_is_kept_and_the_change_fails_with_the_difference(
    node: Node, policies: Path, moment: str, way: str, name: str
) -> None:
    file = policies if name == "policies" else node.folder / "admission"
    # Only the policies are exchanged; the other file is written at that moment.
    writer = other_writer(moment, way, file).replace(f'[ "$1" != {file} ]', f'[ "$1" != {policies} ]')
    said = node.run(writer + change(node, policies))
    assert (node.folder / "state/done").exists(), f"the change never came there: {said}"
    old = f"old {name}"
    wrote = "theirs" if way != "in the open file" else "theirs" + old[len("theirs") :]
    kept = {path.read_text() for path in (node.folder / "archive").rglob("*") if path.is_file()}
    assert wrote in kept, said
    assert file.read_text() == wrote, said
    assert f"kept: {node.folder / 'archive'}" in said
    # A backup that was made after they wrote has their text.
    assert moment == "at back-up" or (f"-{old}" in said.splitlines() and "+theirs" in said), said
    assert "manifest: running and healthy" not in said
    assert node.entries() == {}, "nothing is left half-way"
    assert not (node.folder / "state/killed").exists()
