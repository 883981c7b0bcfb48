"""`tune`: the smallest change of a policy by which its log fits a space for a time, and what that blinds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from auditlog.annotations.read import catalogue
from auditlog.cli.common import UsageError, add_logs, add_processes, processes_of
from auditlog.cli.logs import NO_LOG, add_nodes, given_logs, reads_nodes
from auditlog.cli.loki import add_loki, loki_store
from auditlog.cli.named_policy import POLICY_HELP, policy_text
from auditlog.cli.output import Output, write
from auditlog.cli.terminal import progress_bar
from auditlog.cli.times import add_times, resolve_times
from auditlog.events.budget import Budget, BudgetError, parse_days, parse_size
from auditlog.policy.model import Policy
from auditlog.policy.overlay import Overlay, build_policy
from auditlog.policy.validate import policy_as_read
from auditlog.review.policy_change import policy_change
from auditlog.tuning import report
from auditlog.tuning.knowledge import Area
from auditlog.tuning.loki import tune_from_loki
from auditlog.tuning.search import Plan, Tuning
from auditlog.tuning.steps import joined
from auditlog.tuning.tune import TuneReport, tune

Number = TypeVar("Number", int, float)
_STACK_PREFIX = "stack:"


@dataclass(frozen=True, slots=True)
class _Base:
    """The policy that is changed: its name, its text, and what it says."""

    source: str
    text: str
    policy: Policy


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "tune",
        help="find the smallest change of a policy by which its log fits a space, and what that blinds",
        description="Find the smallest change of the policy in force by which each node keeps its log for so many days "
        "in so much space. Steps are chosen by the first two thirds of the log and tried on the rest. No step drops "
        "what the log has of a person, of an unknown identity or of a denied request, or what a required detection "
        "counts.",
        epilog="Exit code 1: the budget cannot be met.",
    )
    add_logs(parser, ("overlay", "policy"))
    add_nodes(parser)
    add_loki(parser)
    add_times(parser)
    parser.add_argument(
        "--keep", metavar="DAYS", help="how long each node keeps its log: 30d, 8w (the stack's auditLog.budget)"
    )
    parser.add_argument(
        "--in",
        dest="space",
        metavar="SIZE",
        help="in how much space, before compression: 10GiB (the stack's auditLog.budget)",
    )
    parser.add_argument("--policy", metavar="POLICY", help=f"the policy the log was written under: {POLICY_HELP}")
    parser.add_argument(
        "--require",
        type=_areas,
        default=frozenset(Area),
        metavar="AREAS",
        help=f"what must stay as it is, with commas between, or none: {', '.join(Area)} (all of them)",
    )
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="USER",
        help="a user that is a program, although its name looks like a person's",
    )
    parser.add_argument(
        "--annotations",
        action="store_true",
        help="the cluster has the stack's audit annotations: bodies that they repeat may go",
    )
    add_processes(parser)
    parser.set_defaults(run=_run)


def _areas(text: str) -> frozenset[Area]:
    if text == "none":
        return frozenset()
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Area)]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"{text!r} names {unknown[0] if unknown else 'nothing'!r}; allowed: {', '.join(Area)} with commas between, "
            "or none"
        )
    return frozenset(map(Area, names))


def _run(arguments: argparse.Namespace) -> int:
    budget = _budget(arguments)
    base = _base(arguments)
    tuning = Tuning(
        base.policy,
        budget,
        arguments.require,
        frozenset(arguments.program),
        catalogue() if arguments.annotations else (),
    )
    found = _from_loki(arguments, tuning) if arguments.loki else _from_files(arguments, tuning)
    plan = found.plan
    difference = policy_change(base.policy, plan.policy).lines()
    write(
        arguments.output,
        Output(
            lambda width: report.text(found, difference, width),
            lambda: report.json(found, difference),
            ("steps", "refused"),
            {"overlay": lambda: report.overlay(plan), "policy": lambda: _changed_text(base, plan)},
        ),
    )
    return int(not plan.met)


def _from_files(arguments: argparse.Namespace, tuning: Tuning) -> TuneReport:
    processes = processes_of(arguments)
    if arguments.since or arguments.until:
        raise UsageError("tune: --since and --until are for --loki; a log in files is read as a whole")
    if not arguments.logs and not reads_nodes(arguments):
        raise UsageError(NO_LOG)
    with given_logs(arguments) as logs, progress_bar(logs.size) as progress:
        return tune(logs, tuning, processes, progress)


def _from_loki(arguments: argparse.Namespace, tuning: Tuning) -> TuneReport:
    resolve_times(arguments)
    store, notes = loki_store(arguments)
    found = tune_from_loki(store, replace(tuning, sizes_bodies=False))
    return replace(found, notes=(*notes, *found.notes))


def _budget(arguments: argparse.Namespace) -> Budget:
    """What the options say, and the stack where they do not."""
    if arguments.keep and arguments.space:
        return Budget(
            _as_written("--keep", parse_days, arguments.keep), _as_written("--in", parse_size, arguments.space)
        )
    of_stack = None
    if arguments.stack:
        # Half a second to import, for every setting, that no command without a stack has to wait for.
        from auditlog.cli.stack import read_stack

        log = read_stack(arguments.stack).settings().log
        of_stack = log.budget if log else None
    if of_stack is None:
        missing = "--in" if arguments.keep else "--keep"
        raise UsageError(
            f"tune: {missing} is missing; allowed: --keep 30d --in 10GiB, or a --stack with auditLog.budget"
        )
    return Budget(
        _as_written("--keep", parse_days, arguments.keep) if arguments.keep else of_stack.days,
        _as_written("--in", parse_size, arguments.space) if arguments.space else of_stack.bytes,
    )


def _base(arguments: argparse.Namespace) -> _Base:
    name = arguments.policy or (f"{_STACK_PREFIX}{arguments.stack}" if arguments.stack else "")
    if not name:
        raise UsageError(f"tune: the policy the log was written under is missing; --policy takes {POLICY_HELP}")
    source, text = policy_text(name)
    return _Base(source, text, policy_as_read(text, source))


def _changed_text(base: _Base, plan: Plan) -> str:
    return build_policy(
        Overlay(
            custom_text=base.text,
            custom_source=base.source,
            rules_before=tuple(rule for rule, _ in joined(each.step for each in plan.chosen)),
            omit_stages=plan.policy.omit_stages,
        )
    )


def _as_written(option: str, parse: Callable[[str], Number], text: str) -> Number:
    """What an option says. Raises UsageError with the option's name."""
    try:
        return parse(text)
    except BudgetError as problem:
        raise UsageError(f"{option}: {problem}") from problem
