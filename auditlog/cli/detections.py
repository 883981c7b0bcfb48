"""The catalogue of detections: which there are, which of them a policy makes blind, and their rules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from auditlog.cli.common import LOG_HELP, STDIN, UsageError
from auditlog.cli.detections_cost import add_cost, run_cost
from auditlog.cli.detections_replay import run_replay
from auditlog.cli.logs import add_nodes
from auditlog.cli.loki import add_loki
from auditlog.cli.named_policy import POLICY_HELP, add_annotations, examined, named_entries, policy_text
from auditlog.cli.output import Output, add_output, fitted, one_line_each, write
from auditlog.cli.times import add_times
from auditlog.detections.annotated import written_keys
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.cross_check import cross_check
from auditlog.detections.foreign import Verdict, check_rules, falco_rules, sigma_rules, to_json, to_text
from auditlog.detections.report import (
    catalogue_json,
    catalogue_text,
    findings_json,
    findings_text,
    remedies_text,
)
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules
from auditlog.policy.lint import reading_findings
from auditlog.policy.validate import policy_as_read

_CANNOT_BE_KNOWN = 3
_RULES = {"loki": loki_rules, "prometheus": prometheus_rules}


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "detections",
        help="list what is worth an alert, and which alerts a policy makes blind",
        description="List the detections. With a policy, list those that see nothing, or only a part, under it.",
        epilog="Exit code 1: a detection can never fire under the policy. 3: of a rule of --sigma or --falco it cannot "
        "be known. With --replay: 0: something would have rung; 1: certainly nothing; 3: cannot be known.",
    )
    parser.add_argument("--policy", metavar="POLICY", help=POLICY_HELP)
    add_annotations(parser)
    add_output(
        parser,
        ("rules", *_RULES),
        "; rules: what to put before the policy's rules; loki, prometheus: alerting rules, without a policy",
    )
    add_cost(parser)
    parser.add_argument(
        "--replay",
        action="store_true",
        help="run every detection on events over a stretch of the log, from LOG, nodes or --loki: what would have rung",
    )
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"with --replay: {LOG_HELP}")
    add_times(parser)
    add_nodes(parser)
    add_loki(parser)
    foreign = parser.add_mutually_exclusive_group()
    for name, what in (("sigma", "Sigma rules for Kubernetes audit"), ("falco", "Falco rules of source k8s_audit")):
        foreign.add_argument(
            f"--{name}", metavar="FILE", help=f"{what}: which can ever fire under --policy, and what they lack"
        )
    parser.add_argument(
        "--node", action="append", default=[], help="a node whose silence the rules for Loki watch; may be repeated"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.replay and arguments.cost:
        raise UsageError("detections: --replay and --cost are both given; name one of the two")
    if arguments.gigabytes_per_day is not None and not arguments.cost:
        raise UsageError("detections: --gigabytes-per-day is for --cost; name it too")
    if arguments.replay:
        return run_replay(arguments)
    if arguments.cost:
        return run_cost(arguments)
    if arguments.logs or arguments.loki or arguments.stack or arguments.nodes or arguments.since or arguments.until:
        raise UsageError("detections: a log, its nodes and times are for --replay; name it too")
    if arguments.sigma or arguments.falco:
        return _run_foreign(arguments)
    entries = named_entries(arguments.policy or "", annotated=arguments.annotations)
    if arguments.output in _RULES:
        if arguments.policy is not None:
            raise UsageError(f"detections: -o {arguments.output} has every rule and takes no --policy")
        nodes = tuple(arguments.node)
        sys.stdout.write(_RULES[arguments.output](RuleScope(arguments.cluster, nodes, nodes, entries=entries)).text)
        return 0
    if arguments.policy is None:
        if arguments.output == "rules":
            raise UsageError("detections: -o rules needs --policy: " + POLICY_HELP)
        text = catalogue_text(DETECTIONS)
        write(arguments.output, Output(lambda width: one_line_each(text, width), lambda: catalogue_json(DETECTIONS)))
        return 0
    source, text = policy_text(arguments.policy)
    policy = policy_as_read(text, source)
    findings = cross_check(policy, DETECTIONS, written_keys(entries))
    answer = Output(
        lambda width: fitted(findings_text(findings), width),
        lambda: findings_json(source, findings),
        ("detections",),
        {"rules": lambda: remedies_text(findings)},
    )
    write(arguments.output, examined(answer, {source: reading_findings(policy, text)}))
    return int(not all(each.sight.can_fire for each in findings))


def _run_foreign(arguments: argparse.Namespace) -> int:
    if arguments.policy is None or arguments.output in ("rules", *_RULES):
        raise UsageError(
            "detections: --sigma and --falco need --policy, and table, wide, json, yaml or csv as the output"
        )
    name = arguments.sigma or arguments.falco
    try:
        rules_text = sys.stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{name}: cannot be read: {problem}; allowed: a file of rules") from problem
    rules = sigma_rules(rules_text, name) if arguments.sigma else falco_rules(rules_text, name)
    source, text = policy_text(arguments.policy)
    policy = policy_as_read(text, source)
    findings = check_rules(policy, rules)
    answer = Output(lambda width: fitted(to_text(findings), width), lambda: to_json(source, findings), ("rules",))
    write(arguments.output, examined(answer, {source: reading_findings(policy, text)}))
    verdicts = {each.verdict for each in findings}
    if Verdict.NEVER in verdicts:
        return 1
    return _CANNOT_BE_KNOWN if Verdict.UNKNOWN in verdicts else 0
