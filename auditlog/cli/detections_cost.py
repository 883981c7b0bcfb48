"""`detections --cost`: how much Loki reads for the rules in a day, and for the dashboards each time they are opened."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from auditlog.cli.common import UsageError
from auditlog.cli.output import FORMATS, Output, as_json, fitted, write
from auditlog.observe.cost import PanelCost, RuleCost, panel_costs, rule_costs

_MEGABYTES = 1000


def add_cost(parser: argparse._ActionsContainer) -> None:
    """The options."""
    parser.add_argument(
        "--cost", action="store_true", help="show how much of the log Loki reads for the rules and the dashboards"
    )
    parser.add_argument(
        "--gigabytes-per-day", type=float, metavar="N", help="with --cost: how much the log grows, of all nodes (1)"
    )


def run_cost(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises UsageError."""
    if arguments.output not in FORMATS:
        raise UsageError(f"detections --cost: -o is {arguments.output}; allowed: {', '.join(FORMATS)}")
    volume = 1.0 if arguments.gigabytes_per_day is None else arguments.gigabytes_per_day
    if not volume > 0:
        raise UsageError(f"--gigabytes-per-day is {volume:g}; allowed: a number above 0")
    # Building the dashboards takes half a second that no other command has to wait for.
    from auditlog.observe.dashboards import DashboardOptions, all_dashboards

    rules, panels = rule_costs(), panel_costs(all_dashboards(DashboardOptions()))
    answer = Output(
        lambda width: fitted("\n".join(_lines(rules, panels, volume)) + "\n", width),
        lambda: _json(rules, panels, volume),
        ("rules", "panels"),
    )
    write(arguments.output, answer)
    return 0


def _lines(rules: tuple[RuleCost, ...], panels: tuple[PanelCost, ...], volume: float) -> Iterator[str]:
    total = sum(each.readings for each in rules)
    yield f"Rules: {_size(total * volume)} a day, {total:.1f} times the log"
    for each in rules:
        yield f"  {_size(each.readings * volume):>10}  every {each.interval:>4} s  {each.severity:8}  {each.detection}"
    for uid in dict.fromkeys(each.dashboard for each in panels):
        own = [each for each in panels if each.dashboard == uid]
        opened = sum(each.days for each in own if not each.is_closed)
        everything = sum(each.days for each in own)
        yield ""
        yield f"{uid}: at most {_size(opened * volume)} when opened, {_size(everything * volume)} with every row open"
        for panel in own:
            most = "at most " if panel.is_most else ""
            row = "row closed" if panel.is_closed else ""
            yield f"  {most + _size(panel.days * volume):>18}  {row:10}  {panel.panel}"


def _json(rules: tuple[RuleCost, ...], panels: tuple[PanelCost, ...], volume: float) -> str:
    return as_json(
        {
            "gigabytesPerDay": volume,
            "rules": [
                {
                    "detection": each.detection,
                    "severity": each.severity,
                    "intervalSeconds": each.interval,
                    "gigabytesReadPerDay": round(each.readings * volume, 3),
                }
                for each in rules
            ],
            "panels": [
                {
                    "dashboard": each.dashboard,
                    "panel": each.panel,
                    "gigabytesReadEachTime": round(each.days * volume, 3),
                    "rowClosed": each.is_closed,
                    "atMost": each.is_most,
                }
                for each in panels
            ],
        }
    )


def _size(gigabytes: float) -> str:
    if gigabytes >= _MEGABYTES:
        return f"{gigabytes / _MEGABYTES:.1f} TB"
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 or not gigabytes else f"{gigabytes * _MEGABYTES:.0f} MB"
