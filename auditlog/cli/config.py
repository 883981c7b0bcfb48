"""`config`: stack files checked without engine, passphrase or network; what is made from the settings: JSON Schema,
package schema, reference."""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the four commands under `config`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "config",
        help="stack files: check them, their JSON Schema, the reference of every setting",
        description="What there is to say about Pulumi.<env>.yaml without engine, passphrase or network.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="every mistake in stack files, and what is wrong with the policies they name",
        description="Reads stack files as the Pulumi CLI does and answers every mistake with the words of the program. "
        "Values that are encrypted count as present. The policy that a stack names is validated and linted.",
        epilog="Exit code 1: there is a mistake, or a finding of a policy at or above warning that is not silenced.",
    )
    check.add_argument(
        "files", nargs="*", metavar="FILE", help="stack files (every Pulumi.*.yaml beside the nearest Pulumi.yaml)"
    )
    check.add_argument("--format", choices=("text", "json"), default="text")
    check.set_defaults(run=_check)

    schema = commands.add_parser(
        "schema",
        help="JSON Schema of stack files, for editors",
        description="Prints a JSON Schema (2020-12) of stack files, made from the same declarations as the program's "
        "own checks.",
    )
    schema.set_defaults(run=_schema)

    package = commands.add_parser(
        "package",
        help="the schema of the Pulumi package, for programs in other languages",
        description="Prints package/schema.json, which `pulumi package get-schema` answers, made from the same "
        "declarations as the program's own checks.",
    )
    package.set_defaults(run=_package)

    reference = commands.add_parser(
        "reference",
        help="the reference of every setting and every stack output, as Markdown",
        description="Prints docs/settings.md, made from the same declarations as the program's own checks.",
    )
    reference.set_defaults(run=_reference)


# A tenth of a second to import, for detections and presets, that no other command has to wait for.
def _check(arguments: argparse.Namespace) -> int:
    from auditlog.cli import config_check

    return config_check.run(arguments)


def _schema(_: argparse.Namespace) -> int:
    from auditlog.settings.schema import schema_text

    print(schema_text(), end="")
    return 0


def _package(_: argparse.Namespace) -> int:
    from auditlog.settings.package_schema import package_schema_text

    print(package_schema_text(), end="")
    return 0


def _reference(_: argparse.Namespace) -> int:
    from auditlog.settings.reference import reference_text

    print(reference_text(), end="")
    return 0
