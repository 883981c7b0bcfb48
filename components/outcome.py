"""How the program ends on a mistake: one clear message and no traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pulumi

from auditlog.apiserver.plan_error import PlanError
from auditlog.apiserver.read_nodes import ReadError
from auditlog.policy.model import PolicyError
from auditlog.policy.overlay import OverlayError
from auditlog.policy.presets import PresetError
from auditlog.settings import SettingsError

P = ParamSpec("P")
R = TypeVar("R")

_HEADINGS: dict[type[Exception], str] = {
    SettingsError: "The configuration is wrong; no node was contacted.",
    PolicyError: "The policy is wrong; no node was contacted.",
    OverlayError: "The policy is wrong; no node was contacted.",
    PresetError: "The policy is wrong; no node was contacted.",
    ReadError: "Nodes cannot be read; nothing was changed.",
    PlanError: "The nodes cannot be changed as they are; nothing was changed.",
}


def stop_on_mistake(program: Callable[P, R]) -> Callable[P, R]:
    """Turns the errors that a person can mend into a RunError, which Pulumi prints as its message alone."""

    @functools.wraps(program)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return program(*args, **kwargs)
        except tuple(_HEADINGS) as error:
            raise pulumi.RunError(f"{_HEADINGS[type(error)]}\n{error}") from error

    return run
