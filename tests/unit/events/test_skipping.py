"""What is skipped without a parse is only what no parse could match."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.events.event import Event
from auditlog.events.reading import DamageLog, lines_with, read, read_containing
from auditlog.events.sources import LogFile, LogSet
from tests.unit.events.generate import ALICE
from tests.unit.events.incident import request

WANTED = ("the-one", "JTI=a", "secrets")

_pieces = st.lists(
    st.one_of(st.sampled_from([*WANTED, "the-", "one", '"', "\\", "\n", "é", "<"]), st.text(max_size=4)), max_size=4
).map("".join)


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    """An event, a broken one, or none; some of its characters may be written as escapes."""
    value = request(ALICE, "get", "configmaps", draw(_pieces), 0)
    value["userAgent"], value["user"]["username"] = draw(_pieces), draw(_pieces)
    line = json.dumps(value, separators=(",", ":"), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    escaped = draw(st.sampled_from(["", "t", "J", "=", "s", "-"]))
    if escaped:
        # In values only: JSON's own keys stay as they are.
        head, _, tail = line.partition(b'"userAgent":')
        line = head + b'"userAgent":' + tail.replace(escaped.encode(), f"\\u{ord(escaped):04x}".encode(), 1)
    cut = draw(st.integers(0, 400))
    return line[:cut] if cut < 40 else line


def _holds(event: Event) -> bool:
    reference = event.object_ref
    texts = (event.user_agent, event.user.username, reference.name if reference else "", event.request_uri)
    return any(wanted in text for wanted in WANTED for text in texts)


@given(st.lists(_lines(), max_size=8), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_event_that_holds_a_text_is_read(log: list[bytes], ends: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        path.write_bytes(b"\n".join(log) + (b"\n" if ends else b""))
        logs = LogSet((LogFile("cp1", str(path)),))
        whole = [each.event for each in read(logs, DamageLog())]
        found = [each.event for each in read_containing(logs, WANTED)]
    assert [event for event in whole if _holds(event)] == [event for event in found if _holds(event)]
    assert all(event in whole for event in found)


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=6))
def test_lines_are_given_whole_once_and_in_order(log: list[bytes]) -> None:
    text = b"\n".join((*log, b"x the-one y", *log, b"the-one the-one"))
    buffer = bytearray(text + b"beyond the-one")
    expected = [line for line in text.split(b"\n") if b"the-one" in line]
    assert list(lines_with(buffer, len(text), (b"the-one", b"one y"))) == expected


def test_an_escaped_text_is_found() -> None:
    line = json.dumps(request(ALICE, "get", "configmaps", "x", 0)).replace('"x"', '"\\u0074he-one"').encode()
    assert list(lines_with(bytearray(line), len(line), (b"the-one", b"\\u00"))) == [line]
    reference = msgspec.json.decode(line, type=Event).object_ref
    assert reference is not None
    assert reference.name == "the-one"
