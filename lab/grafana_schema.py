"""``python -m lab.grafana_schema``: the dashboards against Grafana's own types, of versions 11, 12 and 13.

``@grafana/schema`` has the types of a dashboard, of each panel's options and of Loki's queries. TypeScript compares
each dashboard's JSON with them: unknown keys, missing ones, values of another type or outside an enumeration. Requires
npm.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from lab.errors import LabError
from lab.paths import REPOSITORY, Paths
from lab.process import failure

VERSIONS = ("grafana-11", "grafana-12", "grafana-13")
KINDS = ("logs", "stat", "table", "timeseries")
"""Panels that the dashboards have."""
WITH_FIELD_CONFIG = ("table", "timeseries")
NOT_IN_THE_TYPES: Mapping[str, str] = {
    "auto": "of an interval variable; the types have one model for all kinds of variables",
    "direction": "of a Loki query, which Grafana's Loki datasource has and its schema does not",
    "expr": "of a mark; each datasource adds its own query to the model",
    "footer": "of a table's options, where it is switched off; since Grafana 12 it belongs to the fields",
}
"""Keys that the types do not know, each with what it is."""

_UNKNOWN_KEY = re.compile(r"error TS2353: .* and '\"?(\w+)\"?' does not exist in type")
_PLAIN = """
// JSON has the values of an enumeration, and not its names.
type Plain<T> = 0 extends 1 & T ? any
  : T extends string ? `${T}`
  : T extends number ? number
  : T extends Array<infer E> ? Array<Plain<E>>
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;
// What has to be refused; that it is not would be an error here.
// @ts-expect-error
export const type: Plain<Dashboard> = { schemaVersion: "41" };
// @ts-expect-error
export const enumeration: Plain<Partial<timeseries.FieldConfig>> = { drawStyle: "barrels" };
// @ts-expect-error
export const key: Plain<Partial<stat.Options>> = { colour: "none" };
"""


def main(arguments: Sequence[str]) -> int:
    """Prints what differs, by version; gives 1 if it is anything but ``NOT_IN_THE_TYPES``."""
    if arguments:
        print("usage: python -m lab.grafana_schema", file=sys.stderr)
        return 2
    folder = Paths.of().root / "grafana-schema"
    _install(folder)
    (folder / "dashboards").mkdir(exist_ok=True)
    for version in VERSIONS:
        (folder / "dashboards" / f"{version}.ts").write_text("\n".join(_program(folder, version)))
    options = {"strict": True, "noEmit": True, "skipLibCheck": True, "module": "esnext", "target": "es2022"}
    settings = {"compilerOptions": {**options, "moduleResolution": "bundler"}, "include": ["dashboards"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    compiled = _node(["node", "node_modules/typescript/bin/tsc", "--pretty", "false", "--project", "."], folder)
    problems = [line for line in compiled.stdout.splitlines() if "error TS" in line]
    if compiled.returncode and not problems:
        raise LabError(failure(["tsc"], compiled.returncode, compiled.stdout))
    return _report(problems)


def _report(problems: Sequence[str]) -> int:
    known: Counter[tuple[str, str]] = Counter()
    others = []
    for line in problems:
        key = found[1] if (found := _UNKNOWN_KEY.search(line)) else ""
        if key in NOT_IN_THE_TYPES:
            known[line.partition("(")[0].removeprefix("dashboards/").removesuffix(".ts"), key] += 1
        else:
            others.append(line)
    for version in VERSIONS:
        keys = ", ".join(f"{key} ({count})" for (of, key), count in sorted(known.items()) if of == version)
        print(f"{version}: keys that the types do not know: {keys or 'none'}")
    print("\n".join(others) or "nothing else differs")
    return 1 if others else 0


def _install(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(REPOSITORY / "lab" / "grafana" / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = _node(command, folder)
    if installed.returncode:
        raise LabError(failure(command, installed.returncode, installed.stdout))


def _node(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def _program(folder: Path, version: str) -> Iterator[str]:
    """The lines of a program that declares every dashboard, every panel's options, and every query of Loki."""
    yield f"import type {{ Dashboard }} from '{version}';"
    for kind in KINDS:
        yield f"import type * as {kind} from '{_types(folder, version, kind, 'panelcfg')}';"
    # The package of Grafana 13 has no types of Loki's queries any more.
    queries = _types(folder, version, "loki", "dataquery")
    if queries:
        yield f"import type * as loki from '{queries}';"
    yield _PLAIN
    for number, rendered in enumerate(all_dashboards(DashboardOptions())):
        document = json.loads(rendered.json)
        yield _declared(f"dashboard{number}", "Dashboard", document)
        for panel in _panels(document["panels"]):
            name, kind = f"dashboard{number}panel{panel['id']}", panel["type"]
            yield _declared(f"{name}options", f"Partial<{kind}.Options>", panel.get("options", {}))
            if kind in WITH_FIELD_CONFIG:
                custom = panel["fieldConfig"]["defaults"].get("custom", {})
                yield _declared(f"{name}fields", f"Partial<{kind}.FieldConfig>", custom)
            for target in panel["targets"] if queries else ():
                if target["datasource"]["type"] == "loki":
                    yield _declared(f"{name}{target['refId']}", "loki.LokiDataQuery", target)


def _declared(name: str, kind: str, value: Any) -> str:
    return f"export const {name}: Plain<{kind}> = {json.dumps(value, indent=1)};"


def _panels(panels: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        if panel["type"] != "row":
            yield panel
        yield from _panels(panel.get("panels") or ())


def _types(folder: Path, version: str, name: str, part: str) -> str:
    """Where the types of a panel or datasource are, as an import names it; "" if the version does not have them."""
    package = folder / "node_modules" / version / "dist"
    found = [
        file
        for kind in ("types", "esm")
        for file in sorted((package / kind).glob(f"raw/composable/{name}/{part}/x/*.d.ts"))
    ]
    return f"../{found[0].relative_to(folder)}".removesuffix(".d.ts") if found else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
