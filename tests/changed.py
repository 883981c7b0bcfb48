"""Runs the unit tests of what changed: ``python -m tests.changed [--list]``, which ``make check`` does.

What changed is what git says: the working tree against HEAD, and files that are not tracked yet. One rule a line:

- tests/unit/**/test_NAME.py: itself. Any other file of tests/unit/AREA: the tests of the area.
- auditlog/AREA/NAME.py, components/NAME.py, lab/NAME.py, node/NAME.sh: tests/unit/AREA/**/test_NAME.py; without such
  a file, the tests of the area.
- docs/, pages beside README.md, Makefile: tests/unit/docs.
- Pulumi*.yaml, and settings: tests/unit/settings, stack_file. policies/: tests/unit/policy. __main__.py:
  tests/unit/components.
- tests/NAME.py: tests/unit/test_NAME.py. Other files of tests/, bench/, ci/, .ci/, .github/, .woodpecker/: none here;
  make test runs those of tests/, make lint checks workflows.
- Anything else, as the requirements, or no change at all: every area.

The tests of an area, and of every area, are those without the files of ``SLOW``: these run when they changed
themselves, or the file of their name. With ``--list`` nothing is run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
UNIT = Path("tests/unit")
SLOW = (
    "cli/test_installed_package.py",
    "cli/test_node_logs.py",
    "cli/test_output.py",
    "components/test_control_plane.py",
    "components/test_program.py",
    "docs/test_commands.py",
    "events/test_loki.py",
    "events/test_outcomes.py",
    "inspection/test_inspection.py",
    "lab/test_observability.py",
    "manifest/test_edit_properties.py",
    "manifest/test_kubeadm.py",
    "node/test_other_writers.py",
    "node/test_path_change.py",
    "node/test_transaction.py",
    "node/test_webhook.py",
    "policy/analysis/test_coverage.py",
    "policy/analysis/test_partition.py",
    "policy/analysis/test_recording.py",
    "policy/test_oracle.py",
    "policy/test_presets.py",
    "settings/test_schema.py",
    "stack_file/test_broken_stack_files.py",
    "stack_file/test_config_command.py",
)
"""Test files, below tests/unit, that take more than three seconds beside a running lab."""
AREAS = {"settings": ("settings", "stack_file")}
"""Areas of the program with other tests than tests/unit/AREA."""


def changed(root: Path = ROOT) -> list[str]:
    """Paths below the repository; of a file that moved, the new one."""
    tracked = ("diff", "--name-only", "--relative", "HEAD")
    untracked = ("ls-files", "--others", "--exclude-standard")
    lines = (
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
        for words in (tracked, untracked)
    )
    return sorted({line for found in lines for line in found})


def for_change(path: str, root: Path = ROOT) -> list[str]:
    """The test files for one changed file."""
    file = PurePosixPath(path)
    match file.parts:
        case ("tests", "unit", *_, name) if name.startswith("test_") and (root / path).exists():
            return [path]
        case ("tests", "unit", area, _, *_):
            return area_tests([area], root)
        case ("tests", *folders):
            own = f"{UNIT}/test_{file.name}"
            return [own] if len(folders) == 1 and (root / own).exists() else []
        case ("bench" | "ci" | ".ci" | ".github" | ".woodpecker", *_):
            return []
        case ("auditlog", area, *_, _) | ("auditlog", area):
            area = area.removesuffix(".py")
        case ("components" | "lab" | "node" as area, *_, _):
            pass
        case ("docs", *_) | ("Makefile",):
            area = "docs"
        case (name,) if name.endswith(".md"):
            area = "docs"
        case (_,) if file.match("Pulumi*.yaml"):
            area = "settings"
        case ("policies", *_):
            area = "policy"
        case ("__main__.py",):
            area = "components"
        case _:
            return every_test(root)
    areas = AREAS.get(area, (area,))
    named = [found for each in areas for found in files_of(each, root) if Path(found).stem == f"test_{file.stem}"]
    return named or area_tests(areas, root) or every_test(root)


def files_of(area: str, root: Path) -> list[str]:
    return sorted(str(each.relative_to(root)) for each in (root / UNIT / area).rglob("test_*.py"))


def area_tests(areas: Iterable[str], root: Path) -> list[str]:
    """The tests of these areas that are not slow."""
    slow = {str(UNIT / each) for each in SLOW}
    return [file for area in areas for file in files_of(area, root) if file not in slow]


def every_test(root: Path) -> list[str]:
    return area_tests([""], root)


def chosen(paths: Collection[str], root: Path = ROOT) -> list[str]:
    """The test files for all these changes, in order; every one that is not slow when nothing changed."""
    found = {file for path in paths for file in for_change(path, root)}
    return sorted(found or (() if paths else every_test(root)))


def main(arguments: list[str]) -> int:
    files = chosen(changed())
    if arguments == ["--list"]:
        print("\n".join(files))
        return 0
    if not files:
        print("no unit test is of what changed")
        return 0
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments, *files], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
