"""`dashboards` and `rules`: what a stack deploys, as plain files for people who deploy them otherwise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from auditlog.cli.common import UsageError
from auditlog.detections.acts import inhibit_rules
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules

_STACK_HELP = "as the stack NAME deploys them, from Pulumi.NAME.yaml (default: with every default)"


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the two commands."""
    dashboards = subparsers.add_parser(
        "dashboards",
        help="write the Grafana dashboards as JSON files",
        description="Write the Grafana dashboards as JSON, for provisioning or import into Grafana 11 or later.",
    )
    _add_arguments(dashboards)
    dashboards.set_defaults(run=lambda arguments: _write(arguments, _dashboards(arguments)))
    rules = subparsers.add_parser(
        "rules",
        help="write the alerting rules as YAML files",
        description="Write the alerting rules: loki-rules.yaml for Loki's ruler, prometheus-rules.yaml for Prometheus "
        "or Mimir, and alertmanager-inhibition.yaml, by which one act rings once.",
    )
    _add_arguments(rules)
    rules.add_argument("--cluster", default="", help="without --stack: the cluster that the rules are for (all)")
    rules.add_argument(
        "--node", action="append", default=[], help="without --stack: a node whose silence rings; may be repeated"
    )
    rules.set_defaults(run=lambda arguments: _write(arguments, _rules(arguments)))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to write to; made if it is missing")
    parser.add_argument("--stack", metavar="NAME", help=_STACK_HELP)


def _dashboards(arguments: argparse.Namespace) -> Mapping[str, str]:
    from auditlog.observe.dashboards import DashboardOptions, all_dashboards, options_for

    options = DashboardOptions()
    if arguments.stack is not None:
        from auditlog.cli.stack import read_stack

        options = options_for(read_stack(arguments.stack).settings())
    return {each.file_name: each.json for each in all_dashboards(options)}


def _rules(arguments: argparse.Namespace) -> Mapping[str, str]:
    inhibition = yaml.safe_dump({"inhibit_rules": inhibit_rules()}, sort_keys=False, width=10_000)
    scope = _scope(arguments)
    return {
        "loki-rules.yaml": loki_rules(scope).text,
        "prometheus-rules.yaml": prometheus_rules(scope).text,
        "alertmanager-inhibition.yaml": inhibition,
    }


def _scope(arguments: argparse.Namespace) -> RuleScope:
    if arguments.stack is None:
        nodes = tuple(arguments.node)
        return RuleScope(arguments.cluster, nodes, nodes)
    if arguments.cluster or arguments.node:
        raise UsageError("--cluster and --node are for rules without --stack; a stack has its own")
    from auditlog.cli.stack import read_stack

    # Whoever takes the files gives them to Loki, whatever the stack itself does with its rules.
    return replace(RuleScope.of(read_stack(arguments.stack).settings()), is_in_loki=True)


def _write(arguments: argparse.Namespace, files: Mapping[str, str]) -> int:
    folder = Path(arguments.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            sys.stdout.write(f"{folder / name}\n")
    except OSError as problem:
        raise UsageError(
            f"--out {folder}: cannot be written: {problem.strerror or problem}; allowed: a folder that you may write to"
        ) from problem
    return 0
