"""`config check`: finds the stack files and reports what `auditlog.stack_file.check` says about each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from auditlog.cli.common import UsageError
from auditlog.cli.output import Output, write
from auditlog.cli.stack import PROJECT_FILE, project_file, project_name, stack_file_path
from auditlog.policy.report import findings_json, text_report
from auditlog.stack_file.check import CheckedFile, LocatedMistake, check_shared_file, check_stack_file
from auditlog.stack_file.fleet import FOLDER


def run(arguments: argparse.Namespace) -> int:
    """Checks every file before it reports any. Raises UsageError if there is no file or no project."""
    paths = [stack_file_path(name) for name in arguments.files] or _stack_files()
    checked = [_check(_shown(path), path) for path in paths]
    # Lines that begin with FILE:LINE stay whole: editors and CI read them.
    text = "".join(map(_text, checked))
    write(arguments.output, Output(lambda _: text, lambda: _json(checked), ("files.*.mistakes", "files.*.findings")))
    return int(not all(file.is_right for file in checked))


def _stack_files() -> list[Path]:
    project = project_file(Path.cwd())
    found = sorted(project.parent.glob("Pulumi.*.yaml"))
    found += sorted((project.parent / FOLDER).glob("*.yaml")) if found else []
    if not found:
        raise UsageError(f"{project.parent}: there is no Pulumi.*.yaml beside {PROJECT_FILE}; allowed: a stack file")
    return found


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _check(name: str, path: Path) -> CheckedFile:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; allowed: a stack file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is no UTF-8 text; allowed: a stack file") from error
    project = project_file(path.resolve().parent)
    if path.resolve().parent == project.parent.resolve() / FOLDER:
        return check_shared_file(name, text, project_name(project))
    return check_stack_file(name, text, project_name(project), project.parent)


def _text(file: CheckedFile) -> str:
    lines = [f"{file.name}:{_place(mistake)}: {mistake.message}" for mistake in file.mistakes]
    if file.policy is not None and any(each.silenced is None for each in file.findings):
        lines.append(text_report(f"{file.name}: {file.policy}", file.findings).rstrip())
    count = len(file.mistakes)
    said = f"{count or 'no'} error{'' if count == 1 else 's'}"
    unchecked = f"; encrypted, not checked: {', '.join(file.encrypted)}" if file.encrypted else ""
    if file.environments:
        unchecked += f"; not checked: what comes from an environment ({', '.join(file.environments)})"
    return "\n".join([*lines, f"{file.name}: {said}{unchecked}", ""])


def _place(mistake: LocatedMistake) -> str:
    return str(mistake.line) if mistake.column is None else f"{mistake.line}:{mistake.column}"


def _json(files: Sequence[CheckedFile]) -> str:
    found = [
        {
            "file": file.name,
            "mistakes": [
                {
                    "line": mistake.line,
                    "column": mistake.column,
                    "key": mistake.key,
                    "found": mistake.what,
                    "allowed": mistake.allowed,
                    "message": mistake.message,
                }
                for mistake in file.mistakes
            ],
            "policy": file.policy,
            "findings": findings_json(file.findings),
            "encrypted": list(file.encrypted),
            "environments": list(file.environments),
        }
        for file in files
    ]
    return json.dumps({"files": found}, indent=2, ensure_ascii=False) + "\n"
