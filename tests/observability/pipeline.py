"""The pipeline by itself on this machine: a writer of audit events as the API server's, real Alloy, real Loki.

No lab and no kubelet: processes on the loopback, which a test kills and starts again.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from auditlog.events.logql import SELECTOR
from auditlog.observe.alloy import NODE_VARIABLE, STORAGE, alloy_configuration, run_script
from auditlog.observe.source import source_of
from auditlog.settings import LokiSettings
from lab.observability import loki as lab_loki
from lab.observability import loki_api
from lab.paths import Paths

BINARIES = Paths.of().bin
_TICK = 0.02
_START_SECONDS = 300
# A Metadata event of kubectl has about this much.
_AGENT = "kubectl/v1.37.2 (linux/amd64) kubernetes/" + "0" * 400
_WINDOW_HOURS = 3
# terminationGracePeriodSeconds of the pod.
_GRACE_SECONDS = 60
# Between two batches, and twelve times as long as Alloy waits at most before it sends again.
_SETTLED_SECONDS = 4
_QUIET_SECONDS = 120
# A page costs Loki a look at more than its entries, so few large ones: a short entry has 140 bytes of at most 4 MiB.
_PAGE = 25_000
_FILLER = "filler"


class Writer:
    """Writes ``rate`` events a second to ``audit.log`` in ``folder`` until the ``with`` block ends.

    Every ``rotation`` seconds the file is renamed as the API server's log writer (lumberjack) does, and then, with
    ``compress``, replaced by a gzip of it. ``written`` is every (auditID, stage) that is in a file, and its line.
    """

    def __init__(self, folder: Path, rate: float, rotation: float, *, compress: bool) -> None:
        self.live = folder / "audit.log"
        self.written: dict[tuple[str, str], str] = {}
        self.rotations = 0
        self._rate, self._rotation, self._compress = rate, rotation, compress
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._rotated: list[Path] = []
        self._compressing = threading.Thread(target=self._compress_all, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        self._compressing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._compressing.join()

    def _work(self) -> None:
        started = rotated = time.monotonic()
        output = self.live.open("a", buffering=1 << 20)
        made = 0
        while not self._stopped.is_set():
            due = int((time.monotonic() - started) * self._rate) - made
            for _ in range(due):
                event = _event(made)
                line = json.dumps(event, separators=(",", ":"))
                output.write(f"{line}\n")
                self.written[event["auditID"], event["stage"]] = line
                made += 1
            output.flush()
            if time.monotonic() - rotated > self._rotation:
                rotated = time.monotonic()
                output.close()
                stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
                backup = self.live.with_name(f"audit-{stamp}.log")
                self.live.rename(backup)
                output = self.live.open("a", buffering=1 << 20)
                self._rotated.append(backup)
                self.rotations += 1
            time.sleep(_TICK)
        output.close()

    def _compress_all(self) -> None:
        while self._compress and not self._stopped.is_set():
            while self._rotated:
                path = self._rotated.pop(0)
                with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
                    shutil.copyfileobj(plain, packed)
                path.unlink()
            time.sleep(_TICK)


def _event(number: int) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(uuid.uuid4()),
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/default/configmaps/<\u00e9&\\{number}>",
        "verb": "get",
        "user": {"username": "kubernetes-admin", "groups": ["kubeadm:cluster-admins", "system:authenticated"]},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": _AGENT,
        "objectRef": {"resource": "configmaps", "namespace": "default", "name": f"number-{number}", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 404},
        "requestReceivedTimestamp": now,
        "stageTimestamp": now,
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


@dataclass
class Pipeline:
    """Loki, and Alloy as kubelet runs it: what ends is started again, as long as it is wanted."""

    folder: Path
    loki_port: int = field(default_factory=lambda: _free_port())
    alloy_port: int = field(default_factory=lambda: _free_port())
    loki: subprocess.Popen[bytes] | None = None
    alloy: subprocess.Popen[bytes] | None = None
    limits: Mapping[str, object] = field(default_factory=dict)
    """Of Loki's ``limits_config``, beside those that the lab has."""
    catch_up_minutes: int = 15
    """How far back the first start of Alloy sends."""
    takes_rules: bool = False
    """Whether its ruler takes rules through the API, of several tenants."""

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True)
        self.storage.mkdir()
        (self.folder / "run.sh").write_text(run_script())
        self.configure(alloy_configuration("lab", source_of(str(self.logs / "audit.log")), LokiSettings(self.loki_url)))

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def loki_url(self) -> str:
        return f"http://127.0.0.1:{self.loki_port}"

    @property
    def said(self) -> str:
        """What Alloy and its script have said so far."""
        return (self.folder / "alloy.said").read_text(errors="replace")

    def configure(self, text: str) -> None:
        (self.folder / "config.alloy").write_text(text.replace(STORAGE, str(self.storage)))

    def start_loki(self) -> None:
        folder = self.folder / "loki"
        folder.mkdir(exist_ok=True)
        configuration = lab_loki.configuration(folder, "http://127.0.0.1:1")
        configuration["server"] |= {"http_listen_port": self.loki_port, "grpc_listen_port": _free_port()}
        configuration["server"] |= {"http_listen_address": "127.0.0.1", "grpc_listen_address": "127.0.0.1"}
        # By default an answer may take half a minute, and a query a minute: a slow machine needs longer.
        configuration["server"] |= {"http_server_write_timeout": "10m", "http_server_read_timeout": "10m"}
        configuration["limits_config"] |= {"query_timeout": "10m", "max_entries_limit_per_query": _PAGE}
        # What one machine sends here is what a whole control plane sends elsewhere.
        configuration["limits_config"] |= {"ingestion_rate_mb": 64, "ingestion_burst_size_mb": 128}
        configuration["limits_config"] |= self.limits
        if self.takes_rules:
            configuration = lab_loki.taking_rules(configuration, folder)
        (folder / "loki.yaml").write_text(yaml.safe_dump(configuration))
        with (self.folder / "loki.said").open("ab") as output:
            self.loki = subprocess.Popen(
                [BINARIES / "loki", f"-config.file={folder / 'loki.yaml'}"], stdout=output, stderr=output
            )
        _await(f"{self.loki_url}/ready", self.loki)

    def stop_loki(self) -> None:
        assert self.loki is not None
        self.loki.terminate()
        self.loki.wait()

    def start_alloy(self, script: str = "run.sh", shell: str = "bash") -> None:
        run: list[str | Path] = [
            *(BINARIES / "alloy", "run", self.folder / "config.alloy", f"--storage.path={self.storage}"),
            *("--stability.level=public-preview", f"--server.http.listen-addr=[127.0.0.1]:{self.alloy_port}"),
            *("--server.http.disable-support-bundle", "--server.http.enable-pprof=false", "--disable-reporting"),
        ]
        own = {NODE_VARIABLE: "cp1", "POD_IP": "127.0.0.1", "PORT": str(self.alloy_port)}
        with (self.folder / "alloy.said").open("ab") as output:
            self.alloy = subprocess.Popen(
                [shell, self.folder / script, self.storage, str(self.catch_up_minutes), *run],
                stdout=output,
                stderr=output,
                env={**os.environ, **own},
                start_new_session=True,
            )
        _await(f"http://127.0.0.1:{self.alloy_port}/-/ready", self.alloy)

    @contextmanager
    def small_storage(self) -> Iterator[None]:
        """Alloy's storage on a file system of its own, which a test can fill."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", self.storage], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.storage], check=True)

    def fill_storage(self) -> None:
        with (self.storage / _FILLER).open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(4096)):
                pass

    def empty_storage(self) -> None:
        (self.storage / _FILLER).unlink()

    def kill_alloy(self) -> int:
        """Ends the script and Alloy at once, as a power cut does; gives the script's exit code."""
        assert self.alloy is not None
        os.killpg(self.alloy.pid, signal.SIGKILL)
        return self.alloy.wait()

    def kill_only_alloy(self) -> int:
        """Ends Alloy and not its script, as the kernel does that runs out of memory; gives the script's exit code."""
        assert self.alloy is not None
        subprocess.run(["pkill", "-KILL", "-x", "alloy", "--session", str(self.alloy.pid)], check=True)
        return self.alloy.wait()

    def stop_alloy(self) -> int:
        """As kubelet ends a pod: killed if it does not end by itself; gives the script's exit code."""
        assert self.alloy is not None
        self.alloy.terminate()
        try:
            return self.alloy.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return self.kill_alloy()

    def shown(self, stages: str = "", size: int = 1000) -> Iterator[loki_api.Entry]:
        """Every entry that a log query shows, after these stages of the query, read so many at a time."""
        now = time.time_ns()
        return loki_api.entries(self.loki_url, SELECTOR + stages, now - _WINDOW_HOURS * 3600 * 10**9, now, size)

    def received(self) -> float:
        """How many lines Loki was sent since its last start. This costs it no query."""
        with urllib.request.urlopen(f"{self.loki_url}/metrics", timeout=_START_SECONDS) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
        name = "loki_distributor_lines_received_total{"
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def counted(self) -> int:
        """How many a metric query counts."""
        samples = loki_api.instant(self.loki_url, f"sum(count_over_time({SELECTOR}[{_WINDOW_HOURS}h]))")
        return int(samples[0]["value"][1]) if samples else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the files held and what Loki has: as (auditID, stage), and the lines of another length."""

    written: int
    shown: int
    counted: int
    missing: int
    doubled: int
    changed: int

    def __str__(self) -> str:
        return (
            f"{self.written} written, {self.shown} shown, {self.counted} counted "
            f"({self.counted - self.written} of them twice), {self.missing} missing, {self.doubled} shown twice, "
            f"{self.changed} of another length"
        )


def outcome(pipeline: Pipeline, writer: Writer) -> Outcome:
    """Wait until nothing is missing, or nothing arrives any more, and count.

    Alloy catches up at the speed of the machine, and so is read what Loki has: neither has a deadline.
    """
    arrived, since, found = -1.0, time.monotonic(), None
    while True:
        if (now := pipeline.received()) != arrived:
            arrived, since, found = now, time.monotonic(), None
        quiet = time.monotonic() - since
        if found is None and quiet > _SETTLED_SECONDS:
            found = _counted(pipeline, writer)
        if found is not None and (not found.missing or quiet > _QUIET_SECONDS):
            return found
        time.sleep(2)


def _counted(pipeline: Pipeline, writer: Writer) -> Outcome:
    shown: Counter[tuple[str, str]] = Counter()
    changed = 0
    # Without the texts and the other fields Loki answers many times as fast.
    for entry in pipeline.shown(" | line_format `{{ len __line__ }}` | keep auditID, stage", _PAGE):
        key = (entry.metadata["auditID"], entry.metadata["stage"])
        shown[key] += 1
        changed += int(entry.line) != len(writer.written.get(key, "").encode())
    missing, doubled = len(writer.written.keys() - shown.keys()), shown.total() - len(shown)
    return Outcome(len(writer.written), shown.total(), pipeline.counted(), missing, doubled, changed)


@contextmanager
def running(
    folder: Path,
    limits: Mapping[str, object] | None = None,
    catch_up_minutes: int = 15,
    *,
    takes_rules: bool = False,
) -> Iterator[Pipeline]:
    """Loki and no Alloy yet; all ended at the end."""
    pipeline = Pipeline(folder, limits=limits or {}, catch_up_minutes=catch_up_minutes, takes_rules=takes_rules)
    pipeline.start_loki()
    try:
        yield pipeline
    finally:
        if pipeline.alloy is not None and pipeline.alloy.poll() is None:
            pipeline.kill_alloy()
        if pipeline.loki is not None and pipeline.loki.poll() is None:
            pipeline.loki.kill()
            pipeline.loki.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
