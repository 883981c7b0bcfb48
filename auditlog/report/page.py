"""The page as one HTML file that loads nothing and runs nothing but its own script.

Every text of a log goes through `html.escape`, or into JSON whose `<` are written as escapes. A Content Security Policy
allows only this script and these styles, by their digests. So a script in the log would not run even if it got through.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from html import escape
from importlib.resources import files

from auditlog import __version__
from auditlog.events.layout import safe, when
from auditlog.events.outcome import Doubt
from auditlog.events.questions.secret_access import Identity
from auditlog.events.render import human_bytes
from auditlog.report.collect import Report

_CALLERS = {
    Identity.HUMAN: ("People and outside programs", "human", "line"),
    Identity.SERVICE_ACCOUNT: ("Service accounts", "service", "dash"),
    Identity.ANONYMOUS: ("Without an identity", "anonymous", "dot"),
    Identity.CONTROL_PLANE: ("Control plane", "plane", "line"),
    Identity.NODE: ("Nodes", "node", "dash"),
}
"""Label, colour and line of each kind, so that colour alone does not distinguish them."""

_DASHES = {"line": [], "dash": [8, 4], "dot": [2, 3]}
_CHARTS = (
    ("callers", "Requests by people, workloads and anonymous callers", tuple(_CALLERS)[:3]),
    ("cluster", "Requests by the cluster itself", tuple(_CALLERS)[3:]),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text and its style."""

    text: str
    kind: str = ""
    """A class of the page's styles: number, wide, or a severity."""


def page(report: Report) -> str:
    """The whole page."""
    scripts = (_file("vendor", "uPlot.iife.min.js"), _file("page.js"))
    styles = (_file("vendor", "uPlot.min.css"), _file("page.css"))
    policy = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = _text(report.title)
    return "".join(
        (
            "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n",
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            "<meta name='viewport' content='width=device-width, initial-scale=1'>\n<meta name='color-scheme' "
            f"content='light dark'>\n<link rel='icon' href='data:,'>\n<title>{title}</title>\n",
            *(f"<style>{each}</style>\n" for each in styles),
            "</head>\n<body>\n<a class='skip' href='#main'>Skip to the content</a>\n",
            _header(report),
            "<main id='main'>\n",
            *(f"<section aria-labelledby='{key}'>\n{body}</section>\n" for key, body in _sections(report)),
            "</main>\n",
            f"<footer><p>Made by auditlog {__version__} at {_text(when(report.made))}. Charts: uPlot 1.6.32, "
            "MIT licence, © 2022 Leon Sorokin.</p></footer>\n",
            f"<script type='application/json' id='data'>{_data(report)}</script>\n",
            *(f"<script>{each}</script>\n" for each in scripts),
            "</body>\n</html>\n",
        )
    )


def _header(report: Report) -> str:
    findings = report.findings
    links = (
        ("detections", "Detections"),
        ("activity", "Activity"),
        ("who", "Who and what"),
        ("unknown", "Not recorded"),
        ("volume", "Volume"),
        ("story", "Story"),
    )
    first = min((node.first for node in findings.coverage.nodes), default=None)
    last = max((node.last for node in findings.coverage.nodes), default=None)
    facts = (
        ("From", when(first) if first else "-"),
        ("To", when(last) if last else "-"),
        ("Requests", f"{findings.requests:,}"),
        ("Nodes", str(len(findings.coverage.nodes))),
        ("Detections fired", str(len({each.detection.id for each in findings.fired}))),
        ("Reasons for doubt", str(len(report.doubts))),
    )
    shown = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in facts)
    items = "".join(f"<li><a href='#{key}'>{text}</a></li>" for key, text in links)
    return (
        f"<header>\n<h1>{_text(report.title)}</h1>\n<nav aria-label='Sections'><ul>{items}</ul></nav>\n"
        f"<dl class='facts'>{shown}</dl>\n</header>\n"
    )


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    yield "detections", _heading("detections", "Detections that fired") + _detections(report)
    yield "activity", _heading("activity", "Activity") + _activity(report)
    yield "who", _heading("who", "Who and what") + _who(report)
    yield "unknown", _heading("unknown", "What is not recorded") + _unknown(report)
    yield "volume", _heading("volume", "Volume and space") + _volume(report)
    yield "story", _heading("story", "Story") + _story(report)


def _heading(key: str, text: str) -> str:
    return f"<h2 id='{key}'>{text}</h2>\n"


def _detections(report: Report) -> str:
    rows = [
        (
            Cell(each.detection.severity, each.detection.severity),
            Cell(each.detection.title, "wide"),
            Cell(each.summary, "wide"),
            Cell(f"{each.ring.value:,}", "number"),
            Cell(when(each.ring.first), "time"),
            Cell(when(each.ring.last), "time"),
            Cell(each.detection.id, "time"),
        )
        for each in report.findings.fired
    ]
    others = ", ".join(report.findings.not_evaluated)
    summary = "Not looked at: what needs metrics or a running Loki"
    note = f"<details><summary>{summary}</summary><p>{_text(others)}.</p></details>"
    if not rows:
        return f"<p>None fired on these events.</p>{note}\n"
    header = ("Severity", "Detection", "What", "Events", "First", "Last", "Runbook")
    return _table("Each line is one alert; its runbook is docs/runbooks/NAME.md.", header, rows) + note


def _activity(report: Report) -> str:
    activity = report.findings.activity
    if activity.start is None:
        return "<p>The log has no events of this time.</p>\n"
    step = timedelta(seconds=activity.step)
    parts = [f"<p>Requests in steps of {step}, in UTC.</p>\n"]
    for key, label, kinds in _CHARTS:
        totals = {kind: sum(activity.counts.get(kind, ())) for kind in kinds}
        said = ", ".join(f"{_CALLERS[kind][0].lower()} {total:,}" for kind, total in totals.items())
        legend = "".join(
            f"<label><input type='checkbox' checked data-chart='{key}'>"
            f"<span class='key {_CALLERS[kind][1]} {_CALLERS[kind][2]}'></span>{_CALLERS[kind][0]} ({total:,})</label>"
            for kind, total in totals.items()
        )
        parts.append(
            f"<figure><figcaption>{label}</figcaption>\n<div class='chart' id='{key}' role='img' aria-label='{label}: "
            f"{_text(said)}. The table below has the numbers.'></div>\n<fieldset class='legend'>"
            f"<legend class='skip'>Lines of this chart</legend>{legend}</fieldset>\n"
            f"<p class='readout' id='{key}-readout'></p></figure>\n"
        )
    times = [activity.start + step * index for index in range(len(next(iter(activity.counts.values()), ())))]
    rows = [
        (Cell(when(moment), "time"), *(Cell(f"{activity.counts[kind][index]:,}", "number") for kind in _CALLERS))
        for index, moment in enumerate(times)
    ]
    header = ("From", *(label for label, _, _ in _CALLERS.values()))
    parts.append(
        f"<details><summary>The same as a table</summary>{_table('Requests by caller', header, rows)}</details>\n"
    )
    return "".join(parts)


def _who(report: Report) -> str:
    findings = report.findings
    callers = [
        (
            Cell(each.user or "(not authenticated)", "wide"),
            Cell(each.kind),
            Cell(f"{each.requests:,}", "number"),
            Cell(f"{each.changes:,}", "number"),
            Cell(f"{each.refused:,}", "number"),
            Cell(", ".join(each.addresses)),
            Cell(when(each.first), "time"),
            Cell(when(each.last), "time"),
        )
        for each in findings.callers
    ]
    targets = [
        (
            Cell(each.resource),
            Cell(each.namespace or "-"),
            Cell(each.name or "-", "wide"),
            Cell(f"{each.changes:,}", "number"),
            Cell(", ".join(each.users), "wide"),
        )
        for each in findings.targets
    ]
    more = _more(findings.other_callers, "callers"), _more(findings.other_targets, "objects")
    return (
        "<h3>Who</h3>"
        + _table(
            "Callers with the most changes first; the cluster's own parts last.",
            ("User", "Kind", "Requests", "Changes", "Refused", "Addresses", "First", "Last"),
            callers,
        )
        + more[0]
        + "<h3>What</h3>"
        + _table("What people and workloads changed most.", ("Resource", "Namespace", "Name", "Changes", "By"), targets)
        + more[1]
    )


def _more(count: int, what: str) -> str:
    return f"<p>And {count:,} more {what}.</p>\n" if count else ""


def _story(report: Report) -> str:
    findings = report.findings
    if not findings.entries:
        return "<p>No change and no refusal, of people or of workloads outside of kube-system.</p>\n"
    earlier = f"{findings.earlier_entries:,} earlier requests are not shown. " if findings.earlier_entries else ""
    lines = "".join(
        f"<li{' class=refused' if each.refused else ''}><time datetime='{each.time.isoformat()}'>"
        f"{_text(when(each.time))}</time>{_text(each.sentence)}.</li>\n"
        for each in findings.entries
    )
    return (
        f"<p>Changes and refusals, of people and of workloads outside of kube-system. {earlier}"
        "<code>auditlog timeline</code> has the rest.</p>\n"
        "<div class='search' id='searching' hidden><label for='search'>Only lines with</label>"
        "<input id='search' type='search' autocomplete='off' spellcheck='false'>"
        "<span id='found' role='status'></span></div>\n"
        f"<ol class='story'>{lines}</ol>\n"
    )


def _unknown(report: Report) -> str:
    rows = [
        (Cell(each.question, "wide"), Cell(each.outcome.verdict), Cell(f"{len(each.outcome.doubts)}", "number"))
        for each in report.verdicts
    ]
    judged = (
        f"Judged by {report.judged_by}." if report.judged_by else "No policy was named, so no empty answer is certain."
    )
    table = _table("What these questions answer from this log.", ("Question", "Answer", "Reasons for doubt"), rows)
    parts = [f"<p>{_text(judged)}</p>", table]
    parts += [_doubt(each) for each in report.doubts]
    if report.periods:
        parts.append("<h3>Which policy was in force</h3>")
        parts.append(
            _table(
                "The policy of each hour, as far as it is known.",
                ("Node", "From", "To", "Policy", "Not known because"),
                [
                    (
                        Cell(each.node),
                        Cell(when(each.start) if each.start else "-", "time"),
                        Cell(when(each.end) if each.end else "-", "time"),
                        Cell(" or ".join(policy.source for policy in each.policies) or "?"),
                        Cell(each.unknown, "wide"),
                    )
                    for each in report.periods
                ],
            )
        )
    notes = [*report.notes, *(f"{each.place}: {each.reason}" for each in report.damage.examples)]
    if notes:
        parts.append("<h3>Notes</h3><ul>" + "".join(f"<li>{_text(each)}</li>" for each in notes) + "</ul>")
    return "\n".join(parts)


def _doubt(doubt: Doubt) -> str:
    rule = f"<p>Rule: <code>{_text(doubt.rule_text)}</code></p>" if doubt.rule_text else ""
    remedy = f"<pre tabindex='0'>{escape(doubt.remedy)}</pre>" if doubt.remedy else ""
    advice = f"<p>{_text(doubt.advice)}{':' if remedy else '.'}</p>" if doubt.advice else ""
    return (
        f"<div class='doubt'><p>{_text(doubt.reason[:1].upper() + doubt.reason[1:])}.</p>{rule}{advice}{remedy}</div>"
    )


def _volume(report: Report) -> str:
    volume = report.volume
    parts = []
    for table in volume.tables:
        if table.dimension not in ("rule", "recorded_rule", "level", "user", "resource"):
            continue
        words = {"recorded_rule": "rule of the policy that was in force"}
        name = words.get(table.dimension, table.dimension)
        rows = [
            (
                Cell(line.name or "-", "wide"),
                Cell(f"{line.recorded.events:,}", "number"),
                Cell(human_bytes(line.recorded.bytes), "number"),
                Cell(human_bytes(line.recorded_per_day.bytes) if line.recorded_per_day else "-", "number"),
            )
            for line in (*table.lines, *([table.others] if table.others else []))
        ]
        parts.append(_table(f"By {name}", (name.capitalize(), "Events", "Bytes", "Bytes a day"), rows))
    days = [
        (
            Cell(each.budget),
            Cell(human_bytes(each.bytes), "number"),
            Cell("-" if each.recorded_days is None else f"{each.recorded_days:.1f}", "number"),
        )
        for each in volume.lifetimes
    ]
    if days:
        parts.append("<h3>How long the space lasts</h3>")
        parts.append(_table("Days until the oldest file is deleted.", ("Space", "Size", "Days"), days))
    else:
        parts.append(
            "<p>Days of disk: give <code>--audit-log-maxsize</code> and <code>--audit-log-maxbackup</code>.</p>"
        )
    return "\n".join(parts)


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    numbers = [all(row[column].kind == "number" for row in rows) for column in range(len(header))] if rows else []
    heads = "".join(
        f"<th scope='col'{' class=number' if numbers and numbers[column] else ''}>{_text(name)}</th>"
        for column, name in enumerate(header)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{f' class={each.kind}' if each.kind else ''}>{_text(each.text)}</td>" for each in row)
        + "</tr>\n"
        for row in rows
    )
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{_text(caption)}'><table><caption>{_text(caption)}"
        f"</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


def _data(report: Report) -> str:
    """The charts' data, as JSON that an HTML parser does not read as markup."""
    activity = report.findings.activity
    length = len(next(iter(activity.counts.values()), ()))
    first = int(activity.start.timestamp()) if activity.start else 0
    charts = [
        {
            "id": key,
            "series": [
                {
                    "label": _CALLERS[kind][0],
                    "colour": _CALLERS[kind][1],
                    "dash": _DASHES[_CALLERS[kind][2]],
                    "counts": list(activity.counts.get(kind, ())),
                }
                for kind in kinds
            ],
        }
        for key, _, kinds in _CHARTS
    ]
    text = json.dumps({"times": [first + index * activity.step for index in range(length)], "charts": charts})
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(text: str) -> str:
    """A text of a log, escaped so that it is only shown."""
    return escape(safe(text))


def _digests(texts: Iterable[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{each}'" for each in hashes)


@cache
def _file(*path: str) -> str:
    return files("auditlog.report").joinpath(*path).read_text(encoding="utf-8")
