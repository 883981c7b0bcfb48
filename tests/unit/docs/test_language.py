"""The language of texts that are in no document: the help of the commands, and the headers of the presets."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest

from auditlog.cli import build_parser
from auditlog.policy.presets import preset_names, preset_text
from lab.prose import text_problems

_FIELD = re.compile(r"^# ([A-Z][a-z]+) +")


def helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Each help text with the command that it is of. Epilogs with examples are left out."""
    yield parser.prog, parser.description or ""
    for action in parser._actions:
        if action.help not in (None, argparse.SUPPRESS):
            yield parser.prog, action.help or ""
        if isinstance(action, argparse._SubParsersAction):
            yield from ((parser.prog, each.help or "") for each in action._choices_actions)
            for command in action.choices.values():
                yield from helps(command)


def header(name: str) -> list[str]:
    """The fields of a preset's header, each as one text."""
    fields: list[str] = []
    for line in preset_text(name).partition("apiVersion:")[0].splitlines()[2:]:
        text = _FIELD.sub("", line) if (begins := _FIELD.match(line)) else line.lstrip("# ")
        if begins or text.startswith("- ") or not fields:
            fields.append(text.removeprefix("- "))
        else:
            fields[-1] += f" {text}"
    return fields


def test_the_help_of_every_command_is_as_we_write() -> None:
    found = {str(each) for command, text in helps(build_parser()) for each in text_problems(command, text)}
    assert found == set()


def test_there_are_helps_of_every_command() -> None:
    assert len({command for command, _ in helps(build_parser())}) >= 20


@pytest.mark.parametrize("name", preset_names())
def test_the_header_of_a_preset_names_no_source_that_nobody_can_find(name: str) -> None:
    fields = header(name)
    assert len(fields) >= 4
    assert not re.search(r"\bseed|\d{3}_[0-9a-f]{16}", " ".join(fields))
