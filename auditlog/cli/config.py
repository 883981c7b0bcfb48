"""`config`: stack files checked without engine, passphrase or network; what is made from the settings: JSON Schema,
package schema, reference."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from auditlog.cli.common import print_help
from auditlog.cli.output import add_output


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the four commands under `config`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "config",
        help="check stack files; print their JSON Schema, and the reference of every setting",
        description="Check stack files, and print what they may contain, without engine, passphrase or network.",
    )
    parser.set_defaults(run=lambda _: print_help(parser))
    commands = parser.add_subparsers(metavar="COMMAND")

    check = commands.add_parser(
        "check",
        help="report every error in stack files, and what is wrong with the policies they name",
        description="Read stack files as the Pulumi CLI does, and report every error in the words of the program. "
        "Encrypted values count as present. The policy that a stack names is validated and linted.",
        epilog="Exit code 1: there is an error, or an unsilenced policy finding of severity warning or more.",
    )
    check.add_argument(
        "files",
        nargs="*",
        metavar="STACK",
        help="names of stacks, or their files (every Pulumi.*.yaml beside the nearest Pulumi.yaml)",
    )
    add_output(check)
    check.set_defaults(run=_check)

    for document in _DOCUMENTS:
        command = commands.add_parser(
            document.command,
            help=document.help,
            description=f"Print {document.what}, made from the same declarations as the program's own checks.",
        )
        command.set_defaults(run=_print, text=document.text)


# A tenth of a second to import, for detections and presets, that no other command has to wait for.
def _check(arguments: argparse.Namespace) -> int:
    from auditlog.cli import config_check

    return config_check.run(arguments)


def _print(arguments: argparse.Namespace) -> int:
    print(arguments.text(), end="")
    return 0


def _schema() -> str:
    from auditlog.settings.schema import schema_text

    return schema_text()


def _package() -> str:
    from auditlog.settings.package_schema import package_schema_text

    return package_schema_text()


def _reference() -> str:
    from auditlog.settings.reference import reference_text

    return reference_text()


def _project() -> str:
    from auditlog.settings.project_file import project_file_text

    return project_file_text()


def _arguments() -> str:
    from auditlog.settings.python_arguments import python_arguments

    return python_arguments()


@dataclass(frozen=True, slots=True)
class _Document:
    """A command that prints what is made from the settings' declarations."""

    command: str
    help: str
    what: str
    text: Callable[[], str]


_DOCUMENTS = (
    _Document(
        "schema", "print the JSON Schema of stack files, for editors", "a JSON Schema (2020-12) of stack files", _schema
    ),
    _Document(
        "package",
        "print the schema of the Pulumi package, for programs in other languages",
        "package/schema.json, which `pulumi package get-schema` returns",
        _package,
    ),
    _Document(
        "reference",
        "print the reference of every setting and every stack output, as Markdown",
        "docs/settings.md",
        _reference,
    ),
    _Document("project", "the typed configuration of Pulumi.yaml", "Pulumi.yaml", _project),
    _Document(
        "arguments",
        "the arguments of the component, for programs in Python",
        "components/arguments.py, as typed dictionaries",
        _arguments,
    ),
)
