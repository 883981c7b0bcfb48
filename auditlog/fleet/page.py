"""The rows as one HTML file that needs nothing else: for a CI job's artifacts, or a page that people open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from auditlog.fleet.report import HEADER, cells, counted, details, in_order
from auditlog.fleet.row import Row

_CLASSES = ("found", "unknown", "well")
_STYLE = """\
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td { font-variant-numeric: tabular-nums; }
tr.found > td:first-child { border-left: .3rem solid #c62828; }
tr.unknown > td:first-child { border-left: .3rem solid #f9a825; }
tr.well > td:first-child { border-left: .3rem solid #2e7d32; }
td.more { border-bottom: 1px solid #8884; padding-top: 0; opacity: .85; }
td.more ul { margin: 0; padding-left: 1.2rem; }
"""


def html_page(rows: Sequence[Row], now: datetime) -> str:
    """The page. Whatever a node says is shown as text."""
    return "".join(f"{line}\n" for line in _lines(rows, now))


def _lines(rows: Sequence[Row], now: datetime) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><title>Audit logging of every cluster</title>'
    yield f"<style>\n{_STYLE}</style></head><body>"
    yield "<h1>Audit logging of every cluster</h1>"
    yield f"<p>{escape(counted(rows))}. Read at {now:%Y-%m-%d %H:%M} UTC.</p>"
    yield f"<table><thead><tr>{''.join(f'<th>{name.capitalize()}</th>' for name in HEADER)}</tr></thead><tbody>"
    for row in in_order(rows):
        kind = _CLASSES[row.urgency]
        yield f'<tr class="{kind}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells(row))}</tr>'
        if told := list(details(row)):
            items = "".join(f"<li>{escape(each)}</li>" for each in told)
            yield f'<tr class="{kind}"><td class="more" colspan="{len(HEADER)}"><ul>{items}</ul></td></tr>'
    yield "</tbody></table>"
    yield "<p>?: cannot be known. Event: since the last write. Disk: what rotated files hold at the rate so far."
    yield "</body></html>"
