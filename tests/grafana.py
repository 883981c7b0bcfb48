"""What Grafana does with a dashboard before it asks a datasource, as far as this project's dashboards need it.

Panels and variables are found in the dashboard's JSON and nowhere else, so that what is tested is what is shipped.
Where a rule comes from:

- variables and their formats: https://github.com/grafana/scenes (packages/scenes/src/variables: formatRegistry.ts,
  CustomVariable.tsx, MultiValueVariable.ts)
- escaping of values that may be several: ``interpolateQueryExpr`` of the datasources
  (https://github.com/grafana/grafana: public/app/plugins/datasource/loki/datasource.ts, packages/grafana-prometheus)
- links: ``getLinksSupplier`` (packages/grafana-data/src/field/fieldOverrides.ts), which encodes by ``uriencode`` what
  names no other format
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

ALL = "$__all"
"""The value of a variable when everything is chosen."""

BUILT_IN = frozenset({"__range", "__range_s", "__auto", "__interval", "__rate_interval"})
"""Grafana's own variables that may stand in a query."""

Value = str | tuple[str, ...]
State = Mapping[str, Value]
"""What is chosen for each variable: one value, several, or ``ALL``."""

_VARIABLE = re.compile(r"\$(?P<plain>\w+)|\$\{(?P<braced>\w+)(?:\.(?P<path>[^:^}]+))?(?::(?P<format>[^}]+))?\}")


@dataclass(frozen=True)
class Query:
    """A query of a panel, an annotation or a variable. ``kind`` is `range`, `instant` or `label` (a label's values)."""

    dashboard: str
    owner: str
    datasource: str
    kind: str
    text: str
    is_log_query: bool = False


@dataclass(frozen=True)
class Variable:
    """A variable of a dashboard. ``options`` are the values of a `custom` one, by what is shown of them."""

    name: str
    kind: str
    initial: Value
    multi: bool = False
    include_all: bool = False
    all_value: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_escaped(self) -> bool:
        """Whether a datasource escapes its values: it may have several, or stand for all."""
        return self.multi or self.include_all

    def selections(self) -> Iterator[Value]:
        """Everything that a click can choose: the initial value, all, each option alone, all options one by one."""
        yield self.initial
        if self.include_all:
            yield ALL
        yield from ((value,) if self.multi else value for value in self.options.values())
        if self.multi and self.options:
            yield tuple(self.options.values())


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel that is no row, also those in collapsed rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Every query that the dashboard makes."""
    uid = dashboard["uid"]
    for panel in panels(dashboard):
        for target in panel["targets"]:
            kind = target.get("queryType") or ("instant" if target.get("instant") else "range")
            datasource = target["datasource"]["type"]
            is_log_query = datasource == "loki" and target["expr"].startswith("{")
            yield Query(uid, panel["title"], datasource, kind, target["expr"], is_log_query)
    for annotation in dashboard.get("annotations", {}).get("list", []):
        if not annotation.get("builtIn"):
            datasource, text = annotation["datasource"]["type"], annotation["expr"]
            yield Query(uid, f"annotation {annotation['name']}", datasource, "range", text, text.startswith("{"))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]
            yield Query(uid, f"variable {variable['name']}", variable["datasource"]["type"], "label", query["stream"])


def variables(dashboard: Mapping[str, Any]) -> dict[str, Variable]:
    """The variables of a dashboard that have values, by their names."""
    found = {}
    for each in dashboard["templating"]["list"]:
        name, kind = each["name"], each["type"]
        if kind in ("datasource", "adhoc"):
            continue
        options = custom_options(each["query"]) if kind == "custom" else {}
        initial = each.get("query", "") if kind == "textbox" else each.get("current", {}).get("value", "")
        found[name] = Variable(
            name,
            kind,
            tuple(initial) if isinstance(initial, list) else initial,
            each.get("multi", False),
            each.get("includeAll", False),
            each.get("allValue") or "",
            options,
        )
    return found


def custom_options(text: str) -> dict[str, str]:
    """The options of a `custom` variable, value by label: divided at commas that no backslash precedes."""
    found = {}
    for part in re.findall(r"(?:\\,|[^,])+", text):
        option = part.replace("\\,", ",")
        match = re.fullmatch(r"\s*(.+)\s:\s(.+)", option)
        label, value = match.groups() if match else (option, option)
        found[label.strip()] = value.strip()
    return found


def named_variables(text: str) -> set[str]:
    """The variables that a query or a link names."""
    names = {match["braced"] or match["plain"] for match in _VARIABLE.finditer(text)}
    return {name for name in names if not name.isdigit()}


def initial_state(dashboard: Mapping[str, Any]) -> dict[str, Value]:
    """What is chosen when the dashboard is opened."""
    return {name: variable.initial for name, variable in variables(dashboard).items()}


def built_in(query: Query, *, window: int, step: int, scrape: int = 15) -> dict[str, str]:
    """Grafana's own variables for a query, over ``window`` seconds in steps of ``step``; ``scrape`` is Prometheus'."""
    return {
        "__range": f"{window}s",
        "__range_s": str(window),
        "__interval": f"{step}s",
        "__auto": f"{window}s" if query.kind == "instant" else f"{step}s",
        "__rate_interval": f"{max(step + scrape, 4 * scrape)}s",
    }


def fill(query: Query, dashboard: Mapping[str, Any], state: State, own: Mapping[str, str]) -> str:
    """The query as the datasource gets it. Raises KeyError for a variable that there is none of."""
    known = variables(dashboard)
    escape = _datasource_format(query.datasource)

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["braced"]
        if name in own:
            return own[name]
        if name.isdigit():  # a group of a regular expression: Grafana leaves what it does not know
            return match[0]
        variable = known[name]
        chosen = state[name]
        if match["format"]:
            return formatted(variable, chosen, match["format"])
        return (
            variable.all_value
            if _is_all(chosen) and variable.all_value
            else escape(variable, _values(variable, chosen))
        )

    return _VARIABLE.sub(value, query.text)


def formatted(variable: Variable, chosen: Value, name: str) -> str:
    """The value of a variable in one of Grafana's formats. A dashboard's own value for all stays as it is."""
    if _is_all(chosen) and variable.all_value and name not in ("percentencode", "queryparam"):
        return variable.all_value
    if name == "queryparam":
        value: Value = "All" if _is_all(chosen) else chosen
    else:
        value = variable.all_value if _is_all(chosen) and variable.all_value else _values(variable, chosen)
    return _FORMATS[name](variable.name, value)


def _each(separator: str, change: Callable[[str], str] = str) -> Callable[[str, Value], str]:
    return lambda _, value: change(value) if isinstance(value, str) else separator.join(map(change, value))


def _encoded(text: str) -> str:
    """JavaScript's encodeURIComponent, and the four characters that Grafana encodes besides."""
    return quote(text, safe="-_.~")


def _regex(_: str, value: Value) -> str:
    if isinstance(value, str):
        return _escaped_for_javascript(value)
    parts = list(map(_escaped_for_javascript, value))
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def _escaped_for_javascript(text: str) -> str:
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", text)


_FORMATS: Mapping[str, Callable[[str, Value], str]] = {
    "raw": _each(","),
    "csv": _each(","),
    "pipe": _each("|"),
    "regex": _regex,
    "doublequote": _each(",", lambda text: '"' + text.replace('"', '\\"') + '"'),
    "percentencode": lambda _, value: _encoded(value if isinstance(value, str) else "{" + ",".join(value) + "}"),
    "uriencode": lambda _, value: quote(
        value if isinstance(value, str) else "{" + ",".join(value) + "}", safe="-_.~;,/?:@&=+$#"
    ),
    "queryparam": lambda name, value: "&".join(
        f"var-{name}={_encoded(each)}" for each in ((value,) if isinstance(value, str) else value)
    ),
}


def _datasource_format(kind: str) -> Callable[[Variable, Value], str]:
    return _loki if kind == "loki" else _prometheus


def _loki(variable: Variable, value: Value) -> str:
    """Two backslashes before a special character: the query is expected to hold it between double quotes."""

    def escaped(text: str) -> str:
        return re.sub(r"[$^*{}\[\]+?.()|]", r"\\\\\g<0>", text.replace("\\", "\\\\\\\\")).replace("'", "\\\\'")

    if not variable.is_escaped:
        return value if isinstance(value, str) else ",".join(value)
    return escaped(value) if isinstance(value, str) else "|".join(map(escaped, value))


def _prometheus(variable: Variable, value: Value) -> str:
    def escaped(text: str) -> str:
        return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", text.replace("\\", "\\\\\\\\"))

    if not variable.is_escaped:
        text = value if isinstance(value, str) else ",".join(value)
        return text.replace("\\", "\\\\").replace("'", "\\\\'")
    if isinstance(value, str):
        return escaped(value)
    return escaped(value[0]) if len(value) == 1 else "(" + "|".join(map(escaped, value)) + ")"


def _is_all(chosen: Value) -> bool:
    return chosen in (ALL, (ALL,))


def _values(variable: Variable, chosen: Value) -> Value:
    return tuple(variable.options.values()) if _is_all(chosen) else chosen


def link(url: str, dashboard: Mapping[str, Any], state: State, row: Mapping[str, str], column: str) -> str:
    """Where a click on a cell leads. ``row`` has the cells of its row by the names of their columns."""
    known = variables(dashboard)

    def value(match: re.Match[str]) -> str:
        name, path, form = match["plain"] or match["braced"], match["path"] or "", match["format"] or "uriencode"
        if name == "__url_time_range":
            return "from=now-6h&to=now"
        if name == "__value":
            return _FORMATS[form]("", row[column])
        if name == "__field":
            return _FORMATS[form]("", row[path.removeprefix("labels.")])
        if name == "__data":
            return _FORMATS[form]("", row[re.sub(r"^fields(?:\.|\[\")(.*?)(?:\"\])?$", r"\1", path)])
        if name in known:
            return formatted(known[name], state[name], form)
        return f"var-{name}=A" if form == "queryparam" else match[0]

    return _VARIABLE.sub(value, url)


def opened(url: str, dashboard: Mapping[str, Any]) -> dict[str, Value]:
    """What is chosen in a dashboard that a link opens; what the link does not name is as it is at first."""
    named = parse_qs(urlsplit(url).query, keep_blank_values=True)
    state = initial_state(dashboard)
    for name, variable in variables(dashboard).items():
        values: Sequence[str] = named.get(f"var-{name}", [])
        if values:
            is_all = variable.include_all and values[0] in ("All", ALL)
            state[name] = ALL if is_all else tuple(values) if variable.multi else values[0]
    return state
