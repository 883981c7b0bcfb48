"""What a policy does, without a cluster: lint, explain, coverage, diff, cis, presets."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from auditlog.annotations.model import annotated_verbs
from auditlog.cli.common import LOG_HELP, STDIN, UsageError
from auditlog.cli.named_policy import POLICY_HELP, add_annotations, examined, named_entries, policy_text
from auditlog.cli.output import Output, add_output, as_json, fitted, one_line_each, write
from auditlog.detections.annotated import written_keys
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.changes import blind_line
from auditlog.events.event import Event, to_request
from auditlog.events.sources import find_logs
from auditlog.policy import cis, coverage, difference, explain, report
from auditlog.policy.lint import CHECK_SUMMARIES, CHECKS, Finding, Severity, Silence, lint, reading_findings
from auditlog.policy.model import NEWEST_MINOR, OLDEST_MINOR, SUPPORTED_MINORS, Policy, Request
from auditlog.policy.phrase import FORMS, PhraseError, parse_phrase
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.validate import load_policy, policy_as_read
from auditlog.review.log_volume import LogVolume, log_volume, volume_line, volume_value
from auditlog.review.policy_change import policy_change

_VERSION = re.compile(r"v?1\.(\d+)(\.\d+)?")


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the six commands."""
    _register_lint(subparsers)

    explained = _command(
        subparsers,
        "explain",
        _explain,
        "show which rule decides about a request, and why no earlier one does",
        f"A REQUEST is an audit event as one JSON line, or one of:\n{FORMS}",
    )
    explained.add_argument("policy", metavar="POLICY", help=POLICY_HELP)
    explained.add_argument("request", metavar="REQUEST", nargs="+", help="alice deletes configmap prod/app-config")

    covered = _command(
        subparsers,
        "coverage",
        _coverage,
        "show who, doing what, to what, is recorded at which level, and what never is",
        "",
    )
    covered.add_argument("policy", metavar="POLICY", help=POLICY_HELP)
    covered.add_argument(
        "--user", action="append", default=[], metavar="USER", help="one more user to show: alice, or alice[dev,ops]"
    )
    add_annotations(covered)

    compared = _command(
        subparsers,
        "diff",
        _diff,
        "show which requests another policy decides differently",
        "Exit code 1: there is a difference.",
    )
    compared.add_argument("old", metavar="OLD", help=POLICY_HELP)
    compared.add_argument("new", metavar="NEW", help=POLICY_HELP)
    add_annotations(compared)
    compared.add_argument("--full", action="store_true", help="every exact region of requests, and the rules for it")
    compared.add_argument(
        "--log", action="append", default=[], metavar="LOG", help=f"the bytes both policies write of it; {LOG_HELP}"
    )

    benchmark = _command(
        subparsers,
        "cis",
        _cis,
        "check whether a policy does what CIS Kubernetes 3.2.1 and 3.2.2 require",
        "Exit code 1: a check fails.",
    )
    benchmark.add_argument("policy", metavar="POLICY", help=POLICY_HELP)

    presets = subparsers.add_parser(
        "presets",
        help="list the policies that come with the project",
        description="List the presets, or print the text of one.",
    )
    presets.add_argument("name", nargs="?", metavar="NAME", help="print this preset, always as YAML")
    add_output(presets)
    presets.set_defaults(run=_presets)


def _register_lint(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = _command(
        subparsers,
        "lint",
        _lint,
        "find what is wrong with a policy that an API server accepts",
        "A finding is silenced with a comment on its rule, or in front of the rules for all of them:\n"
        "  # lint: ignore ID reason\n\n"
        "Exit code 1: there are findings at or above --fail-on that are not silenced.",
        others=("sarif",),
    )
    parser.add_argument("policy", metavar="POLICY", nargs="?", help=POLICY_HELP)
    add_annotations(parser)
    parser.add_argument(
        "--fail-on",
        choices=[severity.value for severity in Severity],
        default=Severity.WARNING.value,
        help="lowest severity that makes the exit code 1 (warning)",
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="ID=REASON", help="silence a check for the whole policy"
    )
    parser.add_argument(
        "--audit-log-mode",
        choices=("batch", "blocking", "blocking-strict"),
        help="the API server's flag, for the checks that depend on it",
    )
    parser.add_argument("--list", action="store_true", help="show every check and exit")


def _command(
    subparsers: argparse._SubParsersAction[Any],
    name: str,
    run: Callable[[argparse.Namespace], int],
    purpose: str,
    epilog: str,
    others: tuple[str, ...] = (),
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--kubernetes",
        type=_minor,
        default=NEWEST_MINOR,
        metavar="VERSION",
        help=f"version of the API server, 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR} (1.{NEWEST_MINOR})",
    )
    add_output(parser, others)
    parser.set_defaults(run=run)
    return parser


def _minor(text: str) -> int:
    match = _VERSION.fullmatch(text)
    if match is None or int(match[1]) not in SUPPORTED_MINORS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a supported version; allowed are 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}"
        )
    return int(match[1])


def _lint(arguments: argparse.Namespace) -> int:
    if arguments.list:
        write(arguments.output, _catalogue())
        return 0
    if arguments.policy is None:
        raise UsageError("lint: POLICY is missing: " + POLICY_HELP)
    source, text = policy_text(arguments.policy)
    findings = lint(
        policy_as_read(text, source),
        text,
        arguments.kubernetes,
        audit_log_mode=arguments.audit_log_mode,
        silences=[_silence(each) for each in arguments.ignore],
    )
    written = written_keys(named_entries(arguments.policy, annotated=arguments.annotations))
    blind = blind_line(policy_as_read(text, source), DETECTIONS, written)
    note = f"{source}: note: {blind}\n" if blind else ""
    answer = Output(
        # Lines that begin with FILE:LINE stay whole: editors and CI read them.
        lambda _: report.text_report(source, findings) + note,
        lambda: report.json_report(source, arguments.kubernetes, findings),
        ("findings",),
        {"sarif": lambda: report.sarif_report(source, findings)},
    )
    write(arguments.output, answer)
    least = Severity(arguments.fail_on)
    return int(any(each.severity.rank >= least.rank for each in findings if each.silenced is None))


def _catalogue() -> Output:
    checks = [
        {"id": check_id, "severity": severity.value, "summary": summary}
        for check_id, (severity, summary) in CHECK_SUMMARIES.items()
    ]
    text = "".join(f"{each['id']:28} {each['severity']:8} {each['summary']}\n" for each in checks)
    return Output(lambda width: one_line_each(text, width), lambda: as_json(checks))


def _silence(text: str) -> Silence:
    check_id, _, reason = text.partition("=")
    if check_id not in {check.id for check in CHECKS}:
        raise UsageError(f"--ignore {text}: {check_id!r} is no check; `lint --list` shows every ID")
    if not reason.strip():
        raise UsageError(f"--ignore {text}: the reason is missing; write --ignore '{check_id}=why'")
    return Silence(check_id, reason.strip())


def _explain(arguments: argparse.Namespace) -> int:
    policy, findings = _examined(arguments.policy, arguments.kubernetes)
    request = _request(" ".join(arguments.request), arguments.kubernetes)
    explanation = explain.explain(policy, request)
    text = report.explanation_text(explanation)
    answer = Output(lambda width: fitted(text, width), lambda: report.explanation_json(explanation))
    write(arguments.output, examined(answer, {policy.source: findings}))
    return 0


def _request(text: str, minor: int) -> Request:
    if text.lstrip().startswith("{"):
        try:
            return to_request(msgspec.json.decode(text, type=Event))
        except msgspec.DecodeError as problem:
            raise UsageError(f"REQUEST is no audit event: {problem}") from problem
    try:
        return parse_phrase(text, minor)
    except PhraseError as problem:
        raise UsageError(str(problem).replace(f"Allowed:\n{FORMS}", "`explain --help` shows the forms")) from problem


def _coverage(arguments: argparse.Namespace) -> int:
    policy, findings = _examined(arguments.policy, arguments.kubernetes)
    extra = [_request(f"{user} get /", arguments.kubernetes) for user in arguments.user]
    people = tuple(coverage.Caller(each.user or "", each.user, each.groups) for each in extra)
    entries = named_entries(arguments.policy, annotated=arguments.annotations)
    result = coverage.cover(policy, arguments.kubernetes, people, annotated_verbs(entries))
    answer = Output(
        lambda width: fitted(coverage.to_text(result, width), width),
        lambda: coverage.to_json(result),
        ("matrices.*.resources", "matrices.*.urls"),
    )
    write(arguments.output, examined(answer, {policy.source: findings}))
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    if arguments.old == arguments.new == STDIN:
        raise UsageError("diff: only one of OLD and NEW can be - (standard input)")
    old, of_old = _examined(arguments.old, arguments.kubernetes)
    new, of_new = _examined(arguments.new, arguments.kubernetes)
    entries = named_entries(arguments.new, annotated=arguments.annotations)
    change = policy_change(old, new, written_keys(entries))
    volume = _volume(old, new, arguments.log) if arguments.log else None

    def in_sentences() -> str:
        lines = [*change.lines(), *([] if volume is None else [volume_line(volume)])]
        return "".join(f"{line}\n" for line in lines)

    def in_full() -> str:
        return difference.to_text(difference.difference(old, new))

    def value() -> str:
        full = json.loads(difference.to_json(difference.difference(old, new)))
        return as_json({**full, **change.value(), "volume": volume_value(volume)})

    text = in_full if arguments.full else in_sentences
    answer = Output(lambda width: one_line_each(text(), width), value, ("sentences", "levels"))
    write(arguments.output, examined(answer, {old.source: of_old, new.source: of_new}))
    return int(bool(change.summary))


def _volume(old: Policy, new: Policy, names: Sequence[str]) -> LogVolume:
    if STDIN in names:
        raise UsageError("diff: --log is read once for each policy, and standard input cannot be; name a file")
    return log_volume(find_logs(names), old, new)


def _cis(arguments: argparse.Namespace) -> int:
    policy, findings = _examined(arguments.policy, arguments.kubernetes)
    results = cis.check(policy)
    text = cis.to_text(results)
    answer = Output(lambda width: fitted(text, width), lambda: cis.to_json(results), ("checks",))
    write(arguments.output, examined(answer, {policy.source: findings}))
    return int(not all(result.passed for result in results))


def _presets(arguments: argparse.Namespace) -> int:
    if arguments.name is not None:
        sys.stdout.write(policy_text(f"preset:{arguments.name}")[1])
        return 0
    titles = {name: preset_text(name).partition("\n")[0].removeprefix(f"# {name}: ") for name in preset_names()}
    text = "".join(f"{name:24} {title}\n" for name, title in titles.items())
    records = [{"name": name, "title": title} for name, title in titles.items()]
    write(arguments.output, Output(lambda width: one_line_each(text, width), lambda: as_json(records)))
    return 0


def _examined(name: str, minor: int) -> tuple[Policy, tuple[Finding, ...]]:
    """The policy as the API server reads it, and what that server ignores of it."""
    source, text = policy_text(name)
    policy = load_policy(text, source, minor)
    return policy, reading_findings(policy, text)
