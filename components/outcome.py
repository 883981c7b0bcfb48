"""How the program ends on a mistake: one clear message and no traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    SettingsError: "The configuration is wrong; no node was dialled.",
    PolicyError: "The policy is wrong; no node was dialled.",
    OverlayError: "The policy is wrong; no node was dialled.",
    PresetError: "The policy is wrong; no node was dialled.",
    ReadError: "Nodes cannot be read; nothing was changed.",
    PlanError: "The nodes cannot be changed as they are; nothing was changed.",
}


@contextmanager
def stopping_on_mistakes() -> Iterator[None]:
    """Turns the errors that a person can mend into a RunError, which Pulumi prints as its message alone."""
    try:
        yield
    except tuple(_HEADINGS) as error:
        raise pulumi.RunError(f"{_HEADINGS[type(error)]}\n{error}") from error


def stop_on_mistake(program: Callable[P, R]) -> Callable[P, R]:
    """The program, stopping on mistakes."""

    @functools.wraps(program)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with stopping_on_mistakes():
            return program(*args, **kwargs)

    return run
