"""Every form of an answer, and what a terminal gets."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from auditlog.cli import build_parser, main
from auditlog.cli.output import CSV, FORMATS, JSON, YAML, Output, fitted, rendered

ROOT = Path(__file__).parents[3]


def output(value: object, *records: str) -> Output:
    return Output(lambda _: "", lambda: json.dumps(value), records or ("",))


def rows(value: object, *records: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(rendered(CSV, output(value, *records))))]


def test_yaml_says_what_json_says() -> None:
    value = {"b": [1, {"ü": None}], "a": "2025-02-21"}
    text = rendered(YAML, output(value))
    assert yaml.safe_load(text) == value
    assert text.startswith("b:")
    assert json.loads(rendered(JSON, output(value))) == value


def test_a_record_is_a_line_of_csv_with_jsons_names() -> None:
    value = {"found": [{"name": "a", "rule": {"line": 3}, "tags": ["x", "y"]}, {"name": "b", "sure": True, "no": None}]}
    assert rows(value, "found") == [
        {"name": "a", "rule.line": "3", "tags": "x, y", "sure": "", "no": ""},
        {"name": "b", "rule.line": "", "tags": "", "sure": "true", "no": ""},
    ]


def test_what_stands_beside_records_is_repeated_with_each() -> None:
    value = {"files": [{"file": "dev", "mistakes": [{"line": 1}, {"line": 2}]}, {"file": "prod", "mistakes": []}]}
    assert rows(value, "files.*.mistakes") == [{"file": "dev", "line": "1"}, {"file": "dev", "line": "2"}]


def test_records_of_several_places_say_which() -> None:
    value = {"answer": {"matches": [{"user": "alice"}], "possible": [{"user": "bob"}]}}
    assert rows(value, "answer.matches", "answer.possible") == [
        {"list": "matches", "user": "alice"},
        {"list": "possible", "user": "bob"},
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_runs_no_text_of_a_client(text: str) -> None:
    assert rows([{"agent": text}]) == [{"agent": f"'{text}"}]


def test_nothing_found_is_no_line() -> None:
    assert rendered(CSV, output({"found": []}, "found")) == ""


def test_a_long_line_goes_on_below_its_last_column() -> None:
    assert fitted("name   warn  one two three four five six\n", 28) == (
        "name   warn  one two three\n             four five six\n"
    )
    assert fitted("    people: one two three four\n", 20) == "    people: one two\n      three four\n"
    assert fitted("one two\n", None) == "one two\n"


COMMANDS = (
    "presets",
    "lint --list",
    "lint preset:standard",
    "explain preset:standard alice deletes configmap prod/app",
    "coverage preset:minimal",
    "diff preset:standard preset:low-write",
    "cis preset:standard",
    "detections",
    "detections --policy preset:low-write",
    f"config check {ROOT / 'Pulumi.dev.yaml'}",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_command_has_every_form(command: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "-o", form]) in (0, 1)
    text = capsys.readouterr().out
    match form:
        case "json":
            json.loads(text)
        case "yaml":
            yaml.safe_load(text)
        case "csv":
            assert len({len(row) for row in csv.reader(io.StringIO(text))}) <= 1
        case _:
            assert text


@pytest.mark.parametrize("name", ["text", "table"])
def test_the_earlier_name_of_table_is_taken(name: str) -> None:
    assert build_parser().parse_args(["presets", "--format", name]).output == "table"


def on_a_terminal(*words: str, **variables: str) -> str:
    """What a command writes to a terminal of 24 lines and 80 columns."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **variables}
    with subprocess.Popen(
        [sys.executable, "-m", "auditlog", *words], cwd=ROOT, env=environment, stdin=theirs, stdout=theirs
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # how Linux tells that the other side is closed
            pass
        process.wait(60)
    os.close(ours)
    return text.decode()


def test_a_terminal_gets_colour_unless_no_color_is_set() -> None:
    words = ("cis", "preset:standard")
    assert "\x1b[" in on_a_terminal(*words, PAGER="cat")
    assert "\x1b[" not in on_a_terminal(*words, PAGER="cat", NO_COLOR="1")
    assert "FAIL" in on_a_terminal(*words, PAGER="cat", NO_COLOR="1")


def test_what_is_longer_than_the_terminal_goes_to_the_pager() -> None:
    assert "lines: " in on_a_terminal("lint", "--list", PAGER="sed 's/^/lines: /'")
    assert "lines: " not in on_a_terminal("cis", "preset:minimal", PAGER="sed 's/^/lines: /'")


def test_what_is_no_terminal_gets_plain_text() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "auditlog", "cis", "preset:standard"], cwd=ROOT, capture_output=True, check=False
    )
    assert b"\x1b" not in ran.stdout
