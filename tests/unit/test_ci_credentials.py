"""``ci/credentials``: what a job was given reaches its command, and outlives it by seconds, whatever signal ends it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import node as lab_node
from lab.paths import REPOSITORY

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
SHELLS = ("dash", "bash")
COMMAND = """
ssh-add -l >keys && cat .kubeconfig-prod >read && env >environment && readlink .kubeconfig-prod >file
echo "$SSH_AGENT_PID" >agent && exec sleep 600
"""
"""What stands for pulumi: writes down what it was given, and goes on."""


@dataclass(frozen=True)
class Job:
    """One run of the script in ``folder``, until ``end``."""

    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, folder: Path, shell: str, key: str) -> Job:
        (folder / "tmp").mkdir(parents=True)
        given = {"SSH_PRIVATE_KEY": key, "KUBECONFIG_TEXT": "the kubeconfig", "TMPDIR": str(folder / "tmp")}
        # A shell's background jobs, such as this test in `make test`, begin with SIGINT ignored.
        command = [
            "env",
            "--default-signal=INT",
            shell,
            str(REPOSITORY / "ci/credentials"),
            "prod",
            "sh",
            "-c",
            COMMAND,
        ]
        return cls(folder, subprocess.Popen(command, cwd=folder, env={**os.environ, **given}))

    def read(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    @property
    def is_ready(self) -> bool:
        return (self.folder / "agent").exists() and bool(self.read("agent"))

    @property
    def left(self) -> list[str]:
        """What of the credentials is still there."""
        agent = Path(f"/proc/{self.read('agent')}/comm")
        running = [f"agent {agent.parent.name}"] if agent.exists() and agent.read_text() == "ssh-agent\n" else []
        return [*running, *(str(path) for path in (self.folder / "tmp").rglob("*") if path.is_file())]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("key") / "id_ed25519"
    lab_node.make_key(path, "writer")
    return path.read_text()


@pytest.fixture(scope="module")
def jobs(key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, signal.Signals], Job]]:
    """A job for each shell and signal, at work; all at once: an agent looks for its parent every ten seconds."""
    assert all(map(shutil.which, SHELLS))
    folder = tmp_path_factory.mktemp("jobs")
    started = {
        each: Job.start(folder / f"{each[0]}-{each[1].name}", each[0], key)
        for each in itertools.product(SHELLS, SIGNALS)
    }
    wait_until(lambda: all(job.is_ready for job in started.values()))
    yield started
    for job in started.values():
        job.process.kill()
        job.process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    """Until it holds, for at most two minutes: a machine may be busy."""
    end = time.monotonic() + 120
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    assert condition()


def test_the_command_has_what_the_job_was_given_and_not_in_its_environment(
    jobs: dict[tuple[str, signal.Signals], Job], key: str
) -> None:
    for job in jobs.values():
        assert job.read("keys").endswith("(ED25519)")
        assert job.read("read") == "the kubeconfig"
        assert Path(job.read("file")).stat().st_mode & 0o777 == 0o600
        for process in (job.process.pid, job.read("agent")):
            seen = Path(f"/proc/{process}/environ").read_bytes() + Path(f"/proc/{process}/cmdline").read_bytes()
            assert b"PRIVATE_KEY" not in seen
            assert b"KUBECONFIG_TEXT" not in seen
            assert key.splitlines()[1].encode() not in seen


def test_no_agent_and_no_file_is_left_whatever_signal_ends_it(jobs: dict[tuple[str, signal.Signals], Job]) -> None:
    assert all(job.left for job in jobs.values())
    for (_, number), job in jobs.items():
        job.process.send_signal(number)
        assert job.process.wait() == -number, "the signal reaches the command itself"
    wait_until(lambda: not any(job.left for job in jobs.values()))


@pytest.mark.parametrize("shell", SHELLS)
def test_without_credentials_the_command_runs_as_it_is(tmp_path: Path, shell: str) -> None:
    script = str(REPOSITORY / "ci/credentials")
    done = subprocess.run([shell, script, "prod", "sh", "-c", "exit 7"], cwd=tmp_path, check=False)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_that_is_none_ends_it_before_the_command(tmp_path: Path, shell: str) -> None:
    variables = {**os.environ, "SSH_PRIVATE_KEY": "no key"}
    script = str(REPOSITORY / "ci/credentials")
    done = subprocess.run([shell, script, "prod", "touch", "begun"], cwd=tmp_path, env=variables, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "begun").exists()
