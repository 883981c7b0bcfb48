"""The settings of a stack that a command names with ``--stack``: a name, or the path of a stack file."""

from __future__ import annotations

from pathlib import Path

from auditlog.cli.common import UsageError
from auditlog.cli.config_check import project_file, project_name
from auditlog.settings import Settings
from auditlog.settings.mistake import SettingsError
from auditlog.stack_file.configuration import check_configuration
from auditlog.stack_file.read import StackFileError, read_stack_file


def stack_settings(name: str) -> Settings:
    """The settings; encrypted ones hold their encrypted texts. Raises UsageError."""
    path = Path(name)
    project = project_file(path.resolve().parent if path.is_file() else Path.cwd())
    if not path.is_file():
        path = project.parent / f"Pulumi.{name}.yaml"
    try:
        file = read_stack_file(path, project_name(project))
        if file.mistakes:
            raise StackFileError(str(file.mistakes[0]))
        return check_configuration(file.values, lambda _: True, lambda _: ())
    except (StackFileError, SettingsError) as error:
        raise UsageError(
            f"--stack {name}: {error}; allowed: the name of a stack with a stack file, or its path"
        ) from error
