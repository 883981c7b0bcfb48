"""A stack by its name, wherever a command takes one: `--stack prod`, and `stack:prod` instead of a policy.

It is read from Pulumi.prod.yaml, without engine or passphrase: what is encrypted there stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from auditlog.cli.common import UsageError
from auditlog.errors import UNREADABLE_YAML
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import Settings
from auditlog.stack_file.fleet import composed
from auditlog.stack_file.in_force import InForce, composed_policy, in_force, settings_of
from auditlog.stack_file.read import StackFile, StackFileError, read_stack_file

PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack file, and the project that it is of."""

    name: str
    """What the person called it by."""
    file: StackFile
    """What it says."""
    folder: Path
    """The project's folder, from which the path of a policy starts."""

    def in_force(self) -> InForce:
        """The policy and the nodes. Raises UsageError."""
        try:
            return in_force(self.file, self.folder)
        except StackFileError as error:
            raise _wrong(self.name, error) from error

    def settings(self) -> Settings:
        """All settings. Raises UsageError."""
        try:
            return settings_of(self.file)
        except StackFileError as error:
            raise _wrong(self.name, error) from error

    def policy(self) -> SelectedPolicy:
        """The composed policy. Raises UsageError, also where it is encrypted."""
        try:
            selected = composed_policy(self.file, self.folder)
        except StackFileError as error:
            raise _wrong(self.name, error) from error
        if selected is None:
            raise UsageError(
                f"stack {self.name}: its policy is encrypted; allowed: a stack with its policy in plain text"
            )
        return selected


def read_stack(name: str) -> Stack:
    """The stack of this name in the project here, or of the stack file at this path. Raises UsageError."""
    path = stack_file_path(name)
    project = project_file(path.resolve().parent)
    own = project_name(project)
    try:
        return Stack(name, composed(read_stack_file(path, own), project.parent, own), project.parent)
    except StackFileError as error:
        raise _wrong(name, error) from error


def stack_file_path(name: str) -> Path:
    """Where the stack of this name in the project here has its file; a path as it is. Raises UsageError."""
    path = Path(name)
    return path if path.is_file() or path.suffix == ".yaml" else project_file(Path.cwd()).parent / f"Pulumi.{name}.yaml"


def _wrong(name: str, error: StackFileError) -> UsageError:
    return UsageError(f"stack {name}: {error}; allowed: the name of a stack with a stack file, or its path")


def project_file(folder: Path) -> Path:
    """The nearest one from this folder upwards, as the Pulumi CLI finds it. Raises UsageError if there is none."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    raise UsageError(f"{folder}: there is no {PROJECT_FILE} here or above; allowed: a folder of a Pulumi project")


def project_name(path: Path) -> str:
    """The name in Pulumi.yaml. Raises UsageError if there is none."""
    try:
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, *UNREADABLE_YAML) as error:
        raise UsageError(f"{path}: cannot be read: {error}; allowed: the file of a Pulumi project") from error
    name = project.get("name") if isinstance(project, dict) else None
    if not isinstance(name, str):
        raise UsageError(f"{path}: has no name; allowed: the file of a Pulumi project")
    return name
