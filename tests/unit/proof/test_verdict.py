"""What a person is told: that an event arrived, or where it stopped."""

from __future__ import annotations

import json

import pytest

from auditlog.proof.event import decode_event
from auditlog.proof.node_answer import LogAnswer
from auditlog.proof.verdict import Failure, kept_outputs, not_in_log, not_in_loki, proven
from tests.unit.proof.events import line

LOG = "/var/log/audit.log"
SEEN = LogAnswer(line(), LOG, 1767225600.54)


def test_delays_are_counted_from_the_events_own_time() -> None:
    found = proven(decode_event(line()), SEEN, 1.2)
    assert (found.log_seconds, found.loki_seconds) == (0.04, 1.24)
    assert found.sentence == f"proven: the event e1 is in {LOG} after 0.04 s and in Loki after 1.24 s"
    assert found.outputs() == {
        "auditID": "e1",
        "at": "2026-01-01T00:00:00.500000+00:00",
        "logSeconds": 0.04,
        "lokiSeconds": 1.24,
    }


def test_without_loki_the_log_alone_is_proven() -> None:
    found = proven(decode_event(line()), SEEN, None)
    assert found.sentence.endswith(f"is in {LOG} after 0.04 s")
    assert "lokiSeconds" not in found.outputs()


def test_a_note_gives_the_outputs_again() -> None:
    for result in (proven(decode_event(line()), SEEN, 1.2), Failure("no"), Failure("no", expected=True)):
        assert kept_outputs(json.dumps(result.outputs()) + "\n") == result.outputs()


@pytest.mark.parametrize("note", [None, "", "{", "[]", "1"])
def test_a_note_that_is_none_gives_nothing(note: str | None) -> None:
    assert kept_outputs(note) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (LogAnswer(said="configmap/x created", errors=0), "has not recorded the request, or writes elsewhere"),
        (LogAnswer(said="configmap/x created", errors=3), "apiserver_audit_error_total is 3"),
        (LogAnswer(said="connection refused"), "the API server does not answer (connection refused)"),
    ],
)
def test_a_marker_that_is_not_in_the_log(answer: LogAnswer, words: str) -> None:
    message = not_in_log(answer, LOG, 20)
    assert message.startswith(f"the marker's event is not in {LOG} after 20 s: ")
    assert words in message


def test_standard_output_is_the_log_of_the_container() -> None:
    assert "not in the log of its container after" in not_in_log(LogAnswer(errors=0), "-", 20)


def test_a_loki_that_does_not_have_it_and_one_that_cannot_be_asked() -> None:
    found = proven(decode_event(line()), SEEN, None)
    arrived = f"the marker's event e1 is in {LOG}"
    assert not_in_loki(found, "http://l", 60, "", "why") == f"{arrived} and not in Loki (http://l) after 60 s: why"
    assert (
        not_in_loki(found, "http://loki", 60, "it answers 401", "")
        == f"{arrived}, and Loki cannot be asked for it: it answers 401"
    )
