"""Every configuration that is made for Alloy, taken by real Alloy. No lab is needed, and no Loki."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from auditlog.observe.alloy import (
    CREDENTIALS_FOLDER,
    NODE_VARIABLE,
    STORAGE,
    alloy_configuration,
    alloy_snippet,
)
from auditlog.observe.source import source_of
from auditlog.settings import AlloyMode, AlloySettings, LokiSettings
from lab.paths import Paths
from tests.unit.events.fake_loki import certificate_and_key

ALLOY = Paths.of().bin / "alloy"
LOG = "/var/log/kubernetes/audit/audit.log"
URL = "http://127.0.0.1:1"
LOKI = {
    "plain": LokiSettings(URL),
    "tenant": LokiSettings(URL, "ops"),
    "basic authentication": LokiSettings(URL, username="ship", password="p"),
    "TLS": LokiSettings("https://127.0.0.1:1", certificate_authority="the authority"),
    "all of it": LokiSettings("https://127.0.0.1:1", "ops", "ship", "p", "the authority"),
}
THEIR_OWN = f'\nloki.write "default" {{\n\tendpoint {{\n\t\turl = "{URL}"\n\t}}\n}}\n'
SNIPPET = AlloySettings(AlloyMode.SNIPPET)
INTO_THEIRS = AlloySettings(AlloyMode.SNIPPET, forward_to="loki.write.default.receiver")


def variants() -> dict[str, str]:
    """The text of each configuration, by what is special about it."""
    found = {f"file, {name}": alloy_configuration("lab", source_of(LOG), loki) for name, loki in LOKI.items()}
    found["standard output"] = alloy_configuration("lab", source_of("-"), LOKI["plain"])
    for name, path in (("file", LOG), ("standard output", "-")):
        found[f"snippet, {name}"] = alloy_snippet("lab", source_of(path), SNIPPET, LOKI["all of it"])
        theirs = alloy_snippet("lab", source_of(path), INTO_THEIRS, None)
        found[f"snippet into what is there, {name}"] = f"{theirs}{THEIR_OWN}"
    return found


VARIANTS = variants()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A folder as the pod has it, with a password and a certificate."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    certificate, _ = certificate_and_key(tmp_path)
    certificate.rename(folder / "ca.crt")
    (folder / "password").write_text("p")
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_alloy_would_lay_it_out_the_same(variant: str) -> None:
    text = VARIANTS[variant]
    formatted = subprocess.run([ALLOY, "fmt", "-"], input=text, capture_output=True, text=True, check=True)
    assert formatted.stdout == text


@pytest.mark.parametrize("variant", VARIANTS)
def test_alloy_finds_nothing_to_say_about_it(variant: str, tmp_path: Path) -> None:
    configuration = tmp_path / "config.alloy"
    configuration.write_text(VARIANTS[variant])
    command: list[str | Path] = [ALLOY, "validate", "--stability.level=public-preview", configuration]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={NODE_VARIABLE: "cp1"})
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@pytest.mark.parametrize("variant", VARIANTS)
def test_alloy_runs_with_it_and_every_component_is_healthy(variant: str, tmp_path: Path, credentials: Path) -> None:
    text = VARIANTS[variant]
    with running(text, tmp_path, credentials) as url:
        components = asked(f"{url}/api/v0/web/components")
    assert {each["localID"] for each in components} == declared(text)
    assert {each["localID"]: each["health"] for each in components if each["health"]["state"] != "healthy"} == {}


BROKEN = {
    "a selector that is none": (r'`\{exporter=~"\.\+"\}', '`{exporter=~".+"', "invalid selector syntax"),
    "a stage that there is none of": ("stage.static_labels", "stage.static_label", "unrecognized block name"),
    "a certificate that is not there": (r"ca\.crt", "none.crt", "no such file or directory"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_configuration_that_alloy_refuses_is_seen(mistake: str, tmp_path: Path, credentials: Path) -> None:
    right, wrong, words = BROKEN[mistake]
    broken, times = re.subn(right, wrong, VARIANTS["file, all of it"])
    assert times > 0
    with pytest.raises(AssertionError, match=f"Alloy ended:[\\s\\S]*{words}"), running(broken, tmp_path, credentials):
        pass


def declared(text: str) -> set[str]:
    """The components of a configuration: KIND.LABEL of each block at the left edge."""
    heads = [line.split(" ") for line in text.splitlines() if line.endswith("{") and line[0].isalpha()]
    return {f"{kind}.{label.strip(chr(34))}" for kind, label, *_ in heads}


@contextmanager
def running(text: str, folder: Path, credentials: Path) -> Iterator[str]:
    """Alloy with this configuration, ready; gives its address. AssertionError with its words when it ends first."""
    configuration = folder / "config.alloy"
    own = {CREDENTIALS_FOLDER: str(credentials), STORAGE: str(folder)}
    for there, here in own.items():
        text = text.replace(there, here)
    configuration.write_text(text)
    url = f"http://{free_address()}"
    command: list[str | Path] = [ALLOY, "run", configuration, f"--storage.path={folder / 'storage'}"]
    command += [
        "--stability.level=public-preview",
        "--disable-reporting",
        f"--server.http.listen-addr={url.removeprefix('http://')}",
    ]
    said = folder / "said"
    with said.open("w") as output:
        alloy = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env={NODE_VARIABLE: "cp1"}
        )
        try:
            deadline = time.monotonic() + 300
            while not is_ready(url):
                assert alloy.poll() is None, f"Alloy ended: {said.read_text()}"
                assert time.monotonic() < deadline, f"Alloy is not ready: {said.read_text()}"
                time.sleep(0.1)
            yield url
        finally:
            alloy.terminate()
            alloy.wait(timeout=300)


def free_address() -> str:
    """One on the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return json.load(answer)
