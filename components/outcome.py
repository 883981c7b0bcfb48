"""How the program ends on an error of the configuration or a node: one clear message and no traceback."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import pulumi

from auditlog.annotations.owners import TakenError
from auditlog.annotations.read import AnnotationError
from auditlog.nodes.read_nodes import ReadError
from auditlog.plan.plan_error import PlanError
from auditlog.policy.model import PolicyError
from auditlog.policy.overlay import OverlayError
from auditlog.policy.presets import PresetError
from auditlog.settings import SettingsError

_MESSAGE_SHOWN = 32
"""The exit code by which the language host knows that the person has read why the program failed.

``pythonProcessExitedAfterShowingUserActionableMessage`` in
https://github.com/pulumi/pulumi/blob/v3.250.0/sdk/python/cmd/pulumi-language-python/main.go
"""

P = ParamSpec("P")
R = TypeVar("R")

_HEADINGS: dict[type[Exception], str] = {
    SettingsError: "The configuration is wrong; no node was contacted.",
    PolicyError: "The policy is wrong; no node was contacted.",
    OverlayError: "The policy is wrong; no node was contacted.",
    PresetError: "The policy is wrong; no node was contacted.",
    AnnotationError: "An annotation is wrong; nothing was changed.",
    TakenError: "The cluster has admission policies of these names already; nothing was changed.",
    ReadError: "Nodes cannot be read; nothing was changed.",
    PlanError: "The nodes cannot be changed as they are; nothing was changed.",
}


def end_with_one_message() -> None:
    """Has this process, whose program is about to fail with a RunError, end without a second message.

    Pulumi shows the error and exits with 1, for which its language host adds ``an unhandled error occurred: program
    exited with non-zero exit code: 1``. A SystemExit from the program would avoid that, but leaves requests to the
    engine unfinished, which Python then warns of. Only for a process that runs nothing but this project's program.
    """
    atexit.register(os._exit, _MESSAGE_SHOWN)


@contextmanager
def stopping_on_mistakes() -> Iterator[None]:
    """Turns the errors that a person can fix into a RunError, which Pulumi prints as its message alone."""
    try:
        yield
    except tuple(_HEADINGS) as error:
        raise pulumi.RunError(f"{_HEADINGS[type(error)]}\n{error}") from error


def stop_on_mistake(program: Callable[P, R]) -> Callable[P, R]:
    """The program, which stops on such an error."""

    @functools.wraps(program)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with stopping_on_mistakes():
            return program(*args, **kwargs)

    return run
