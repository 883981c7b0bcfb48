"""``python -m lab.picture``: draw README's pictures from what the demonstration printed.

Without an argument it runs ``python -m lab.demo`` on the lab that is up and records it. With a recording it only draws:

    python -m lab.picture                                  # runs the demonstration, about three minutes
    python -m lab.picture docs/pictures/demonstration.txt  # draws it again

The recording is checked in, so a test can compare the pictures with it.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from lab.paths import REPOSITORY

FOLDER = REPOSITORY / "docs" / "pictures"
RECORDING = FOLDER / "demonstration.txt"
MANIFEST = "--- /etc/kubernetes/manifests/kube-apiserver.yaml"

_COLUMNS = 104
_STEP = re.compile(r"^== (\d)\. ", re.MULTILINE)
_DIFF = (("$ ", "bold"), ("+++ ", "bold"), ("--- ", "bold"), ("@@ ", "cyan"), ("+", "green"), ("-", "red"))
_ANSWER = (("$ ", "bold"), ("TIME ", "bold"), ("Cannot be known", "bold yellow"))
_HUNKS = 2
"""How much of the manifest's diff is shown: the annotation and the flags. The recording has all of it."""
_THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (207, 34, 46),
        (17, 99, 41),
        (125, 78, 0),
        (9, 105, 218),
        (130, 80, 223),
        (27, 124, 131),
        (110, 119, 129),
    ],
)
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 16px; font-weight: bold; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" class="{unique_id}-matrix">
{backgrounds}
{matrix}
</g>
</svg>
"""
"""rich's own format without the fonts that it would load from elsewhere."""


def pictures(recording: str) -> dict[str, str]:
    """Return each picture's file name and its SVG text. Raises ValueError if the recording lacks a step."""
    steps = _steps(recording)
    return {
        "preview.svg": _drawn("pulumi preview --diff: what changes on a node, and why", _preview(steps["1"]), _DIFF),
        "answer.svg": _drawn("auditlog: who deleted it, and what cannot be known", _answers(steps), _ANSWER),
    }


def without_machine(recording: str) -> str:
    """Replace the path of this clone, which SSH commands name, by one that says nothing of the machine."""
    return recording.replace(str(REPOSITORY), "~/kubernetes-audit")


def _steps(recording: str) -> dict[str, list[str]]:
    """The lines of each step of the demonstration, by its number."""
    parts = _STEP.split(recording.partition("\n== What to try next")[0])
    steps = {number: text.strip("\n").splitlines()[1:] for number, text in zip(parts[1::2], parts[2::2], strict=True)}
    if missing := {"1", "4", "5"} - steps.keys():
        raise ValueError(
            f"the recording has no step {', '.join(sorted(missing))}; wanted: the text of python -m lab.demo"
        )
    return steps


def _preview(lines: Sequence[str]) -> list[str]:
    """The reasons for the change of the manifest, and the beginning of its diff."""
    if MANIFEST not in lines:
        raise ValueError(
            f"the preview has no line {MANIFEST!r}: was audit logging on already? python -m lab.demo destroy"
        )
    at = first = lines.index(MANIFEST)
    while lines[first - 1].startswith("cp1: "):
        first -= 1
    diff = lines[at : lines.index("", at)]
    hunks = [number for number, line in enumerate(diff) if line.startswith("@@ ")]
    shown = diff[: hunks[_HUNKS]] if len(hunks) > _HUNKS else diff
    return ["$ pulumi preview --diff", "…", *lines[first:at], *shown, "…"]


def _answers(steps: dict[str, list[str]]) -> list[str]:
    return [*steps["4"], "", *steps["5"]]


def _drawn(title: str, lines: Sequence[str], styles: Sequence[tuple[str, str]]) -> str:
    console = Console(width=_COLUMNS, record=True, file=io.StringIO(), highlight=False)
    for line in lines:
        style = next((style for beginning, style in styles if line.startswith(beginning)), "")
        for part in textwrap.wrap(
            line, _COLUMNS, subsequent_indent="    ", drop_whitespace=False, break_on_hyphens=False
        ) or [""]:
            console.print(Text(part.rstrip(), style=style), soft_wrap=True)
    return console.export_svg(title=title, theme=_THEME, code_format=_SVG, unique_id="terminal")


def main(arguments: Sequence[str]) -> int:
    """Record if no recording is named, then draw. Returns the exit code."""
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print("usage: python -m lab.picture [RECORDING]", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not arguments:
        run = [sys.executable, "-m", "lab.demo"]
        # The engine prints reasons and diffs to standard error.
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        ended = subprocess.run(run, cwd=REPOSITORY, stdout=pipe, stderr=both, text=True, check=False)
        if ended.returncode != 0:
            print(ended.stdout, end="")
            return ended.returncode
        RECORDING.write_text(without_machine(ended.stdout))
    try:
        drawn = pictures(Path(arguments[0] if arguments else RECORDING).read_text())
    except ValueError as error:
        print(f"picture: {error}", file=sys.stderr)
        return 1
    for name, text in drawn.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
