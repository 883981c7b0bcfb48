"""What a command answers, in every form that `-o` names.

A command makes one `Output`: its text, its JSON, and the place of the records in the JSON. YAML and CSV are made from
the JSON, so that all forms say the same by the same names.

rich knows what terminals, NO_COLOR and FORCE_COLOR ask for, and starts the pager. Tables stay ours. rich folds a cell
inside its column. Ours puts the columns that do not fit on a separate line, which can still be searched.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from auditlog.cli.terminal import is_long, text_width

TABLE, WIDE, JSON, YAML, CSV = FORMATS = ("table", "wide", "json", "yaml", "csv")
_EARLIER_NAMES: Mapping[str, str] = MappingProxyType({"text": TABLE})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = re.compile(r" {2,}(?=\S)")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command answers."""

    text: Callable[[int | None], str]
    """The text for people in at most so many columns; None for as many as it needs."""
    json: Callable[[], str]
    """The same for programs."""
    records: tuple[str, ...] = ("",)
    """Where in the JSON the rows of CSV stand: keys with dots between, `*` for each entry of a list. What stands beside
    them in that entry is repeated in each row. With several places the first column says which one a row is from."""
    others: Mapping[str, Callable[[], str]] = field(default_factory=lambda: MappingProxyType({}))
    """Further forms, by their names."""


def add_output(parser: argparse._ActionsContainer, others: Sequence[str] = (), more_help: str = "") -> None:
    """`-o`, and the names it had before: `--format` and `--json`. `others` are forms that only this command has."""
    formats = (*FORMATS, *others)

    def named(word: str) -> str:
        return _EARLIER_NAMES.get(word, word)

    words = f"{', '.join(formats)} (table); wide: no line is broken; csv: one line for each record{more_help}"
    parser.add_argument("-o", "--output", type=named, choices=formats, default=TABLE, metavar="FORMAT", help=words)
    parser.add_argument(
        "--format", type=named, choices=formats, dest="output", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--json", action="store_const", const=JSON, dest="output", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )


def as_json(value: object) -> str:
    """Plain values as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(form: str, output: Output) -> None:
    """Writes an answer to standard output in the form that `-o` named."""
    if form in (TABLE, WIDE):
        _write_text(output.text(text_width(wide=form == WIDE)))
    else:
        sys.stdout.write(rendered(form, output))


def rendered(form: str, output: Output) -> str:
    """An answer in a form for programs."""
    if form in output.others:
        return output.others[form]()
    text = output.json()
    if form == JSON:
        return text
    value = json.loads(text)
    if form == YAML:
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return _csv(value, output.records)


def fitted(text: str, width: int | None) -> str:
    """Text whose lines are broken at `width`; what follows stands below the line's last column, or is indented."""
    if width is None:
        return text
    return "".join(f"{piece}\n" for line in text.splitlines() for piece in _pieces(line, width))


def one_line_each(text: str, width: int | None) -> str:
    """A catalogue: fitted on a terminal, and elsewhere one line for each entry, to be searched."""
    return fitted(text, width if sys.stdout.isatty() else None)


def _pieces(line: str, width: int) -> Sequence[str]:
    if len(line) <= width:
        return (line,)
    columns = [match for match in _COLUMNS.finditer(line) if match.end() <= width // 2]
    indent = columns[-1].end() + (0 if columns[-1].start() else 2) if columns else 2
    return textwrap.wrap(line, width, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False)


def _csv(value: Any, places: Sequence[str]) -> str:
    rows = []
    for place in places:
        label = {"list": place.rpartition(".")[2]} if len(places) > 1 else {}
        rows += [{**label, **dict(_flat(record))} for record in _records(value, [*filter(None, place.split("."))])]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if columns:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _records(value: Any, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    if not keys:
        yield from value if isinstance(value, list) else [value]
    elif keys[0] == "*":
        for entry in value.values() if isinstance(value, dict) else value:
            beside = {key: each for key, each in entry.items() if not isinstance(each, dict | list)}
            yield from ({**beside, **record} for record in _records(entry, keys[1:]))
    else:
        yield from _records(value.get(keys[0]) or [], keys[1:])


def _flat(record: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _cell(value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        plain = not any(isinstance(each, dict | list) for each in value)
        return ", ".join(map(_cell, value)) if plain else json.dumps(value, ensure_ascii=False)
    if value is None:
        return ""
    if isinstance(value, str):
        # A spreadsheet would run it as a formula, and clients choose their names and user agents.
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value)


def _write_text(text: str) -> None:
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    from rich.console import Console
    from rich.highlighter import RegexHighlighter
    from rich.theme import Theme

    class Words(RegexHighlighter):
        base_style = "audit."
        highlights = _HIGHLIGHTS

    console = Console(theme=Theme(dict(_STYLES)), highlighter=Words(), soft_wrap=True, emoji=False, markup=False)
    # rich keeps bold where NO_COLOR asks for no colour.
    plain = console.no_color or console.color_system is None
    body = text.removesuffix("\n")
    highlighted = body if plain else console.render_str(body, highlighter=Words())
    if not is_long(text):
        console.print(highlighted, highlight=False)
        return
    # As git does: quit where one screen is enough, pass colours through, leave the screen as it is.
    os.environ.setdefault("LESS", "FRX")
    with console.pager(styles=not plain):
        console.print(highlighted, highlight=False)


_STYLES = {"audit.heading": "bold", "audit.bad": "bold red", "audit.warn": "yellow", "audit.good": "green"}
_HIGHLIGHTS = [
    r"(?m)^ *(?P<heading>[A-Z][A-Z ]*(?: {2,}[A-Z][A-Z ]*)+)$",
    r"(?m)^(?P<good>Certainly none|pass)\b",
    r"(?m)^(?P<warn>Cannot be known|More may be missing)\b",
    r"(?m)^(?P<bad>FAIL|NOT COVERED)\b",
    r"(?:: | )(?P<bad>error|critical|can never fire|OFF)(?=[:, ])",
    r"(?:: | )(?P<warn>warning|fires for a part only)(?=[: ]|$)",
]
