"""Somebody else writes the manifest or the policy at every moment of a change, on files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import STEPS, Node
from tests.unit.node.shell import REAL_EXCHANGE

# Every entry of the journal, and every exchange, is a moment at which somebody else may write.
MOMENTS = [*(f"at {step}" for step in STEPS), "right before an exchange", "right after an exchange"]
# The change takes another course, or leaves other files, only with these: the moments between two of them are like the
# earlier one. Before the swap it does not matter whether the API server would come up.
DIFFERENT = {
    "up": ["at back-up", "at stand-in", "at swap", *MOMENTS[-2:], "at own", "at finish"],
    "way back": ["right after an exchange", "at old-gone", "at put-back", "at restored"],
}
FILES = ["manifest", "policy"]
WAYS = {
    "rename": "printf 'theirs' >$STATE/their.new; command mv $STATE/their.new {file}",
    "in place": "printf 'theirs' >{file}",
    # The writer had the file open before, and goes on in whatever became of it.
    "in the open file": "printf 'theirs' >&7",
}


def other_writer(moment: str, way: str, file: Path) -> str:
    """Functions in place of the node's own: at the moment, once, somebody else writes."""
    write = WAYS[way].format(file=file)
    once = f'[ -e "$STATE/done" ] || {{ touch "$STATE/done"; {write}; }}'
    opened = f"exec 7<>{file}\n" if way == "in the open file" else ""
    name = moment.rpartition(" ")[2]
    if moment.startswith("at "):
        return f'{opened}step() {{ record "step=$1"; [ "$1" != {name} ] || {{ {once}; }}; }}\n'
    before, after = (once, ":") if "before" in moment else (":", once)
    is_the_file = f'[ "$1" != {file} ]'
    return (
        f'{REAL_EXCHANGE}{opened}exchange() {{ {is_the_file} || {{ {before}; }}; real_exchange "$1" "$2"; ended=$?\n'
        f"{is_the_file} || {{ {after}; }}; return $ended; }}\n"
    )


WRITERS = [
    *((way, name, end, moment) for end in DIFFERENT for moment in DIFFERENT[end] for name in FILES for way in WAYS),
    # A rename ends as a write in place does.
    *((way, "manifest", "up", moment) for moment in MOMENTS if moment not in DIFFERENT["up"] for way in [*WAYS][1:]),
]


@pytest.mark.parametrize(("way", "name", "end", "moment"), WRITERS)
def test_what_somebody_else_writes_at_any_moment_stays_or_is_kept(
    node: Node, way: str, name: str, end: str, moment: str
) -> None:
    """Whatever they wrote is live or in the archive when the change ends, and it is said where."""
    fails = end == "way back"
    node.says("healthy")
    if not fails:
        node.says("new-runs")
    file = getattr(node, name)
    said = node.run(
        other_writer(moment, way, file)
        + f"transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} arguments=a "
        f"arguments-before=b endpoint=e timeout={0 if fails else 5} log=/nowhere marker=no owner=stack 2>&1"
    )
    assert (node.folder / "state/done").exists(), "the change never came there"
    wrote = "theirs" if way != "in the open file" else "theirs" + f"old {name}"[len("theirs") :]
    kept = {path.read_text() for path in (node.folder / "archive").rglob("*") if path.is_file()}
    assert file.read_text() == wrote or wrote in kept, said
    assert f"kept: {node.folder / 'archive'}" in said or moment == "at restored"
    assert "manifest: running and healthy" not in said or (way, moment) == ("in the open file", "at finish")
    assert node.entries() == {}, "nothing is left half-way"
