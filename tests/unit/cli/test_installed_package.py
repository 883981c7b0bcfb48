"""The wheel in an environment that has what it declares and nothing else: the command works from any folder.

Nothing is downloaded. The environment sees, by links, only those packages of this one that the wheel requires,
directly or through others; so a requirement that is not declared is missing in it, Pulumi above all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from auditlog import __version__

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for found in required(*Distribution.discover(name="kubernetes-audit", path=[str(packages)])):
        for name in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (packages / name).symlink_to(Path(str(found.locate_file(name))))
    return folder


def required(*packages: Distribution) -> Iterator[Distribution]:
    """What packages require without its extras, and what those require."""
    seen: set[str] = set()
    left = [*packages]
    while left:
        for line in left.pop().requires or ():
            requirement = Requirement(line)
            name = requirement.name.lower()
            if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            seen.add(name)
            left.append(distribution(name))
            yield left[-1]


def run(
    environment: Path, folder: Path, *words: str, command: str = "auditlog", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment / "bin" / command, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_has_every_file_that_is_read(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("annotations", "node", "policies"):
        wanted = {f"auditlog/project_files/{folder}/{path.name}" for path in (ROOT / folder).iterdir()}
        assert wanted <= held
    others = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "auditlog").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert others <= held
    assert not [name for name in held if name.startswith(("components", "lab", "tests", "bench"))]


def test_pulumi_is_not_required_by_the_command(environment: Path) -> None:
    installed = {path.name for path in next(environment.glob("lib/python*/site-packages")).iterdir()}
    assert "msgspec" in installed
    assert not installed & {"pulumi", "pulumi_kubernetes", "pulumi_command", "grafana_foundation_sdk"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--version", f"auditlog {__version__}\n"),
        ("", "usage: auditlog "),
        ("presets", "low-write "),
        ("explain preset:standard alice deletes configmap prod/app", "configmaps"),
        ("detections", "cluster-admin-bound"),
        ("config schema", '"$schema"'),
        ("config reference", "# "),
        ("config package", f'"version": "{__version__}"'),
        ("completion bash", "complete "),
    ],
)
def test_a_command_runs_from_another_folder(environment: Path, tmp_path: Path, words: str, says: str) -> None:
    ran = run(environment, tmp_path, *words.split())
    assert (ran.returncode, ran.stderr) == (0, "")
    assert says in ran.stdout


def test_a_question_is_answered(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text(
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"ResponseComplete",'
        '"requestURI":"/api/v1/namespaces/prod/configmaps/app","verb":"delete","user":{"username":"alice"},'
        '"objectRef":{"resource":"configmaps","namespace":"prod","name":"app","apiVersion":"v1"},'
        '"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-02T03:04:05.000000Z",'
        '"stageTimestamp":"2026-01-02T03:04:05.100000Z"}\n'
    )
    ran = run(environment, tmp_path, "who", "--verb", "delete", "audit.log")
    assert (ran.returncode, "alice" in ran.stdout) == (0, True), ran.stderr


def test_inspect_has_the_nodes_script_and_dials(environment: Path, tmp_path: Path) -> None:
    ran = run(environment, tmp_path, "inspect", "127.0.0.1:1")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditlog: ")
    assert "Traceback" not in ran.stderr


def test_kubectl_finds_it_as_a_plugin(environment: Path, tmp_path: Path) -> None:
    ran = run(environment, tmp_path, command="kubectl-audit")
    assert (ran.returncode, ran.stdout.splitlines()[0].startswith("usage: kubectl audit ")) == (0, True)


def test_the_manual_page_lies_where_man_looks(environment: Path) -> None:
    assert (environment / "share" / "man" / "man1" / "auditlog.1").read_text().startswith(".TH AUDITLOG ")


def test_a_missing_package_is_named(environment: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['msgspec'] = None\n")
    ran = run(environment, tmp_path, "presets", PYTHONPATH=str(hidden))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditlog: the Python module 'msgspec' is missing; install it with 'pipx install .'")
    assert ran.stderr.count("\n") == 1
