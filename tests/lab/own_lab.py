"""A lab that belongs to one group of tests, with a root of its own beside the one that ``make up`` started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.paths import REPOSITORY, Paths


@dataclass(frozen=True, slots=True)
class OwnLab:
    """The lab at ``.lab/NAME``, driven by the command line as a person would."""

    name: str

    @property
    def paths(self) -> Paths:
        return Paths.of(REPOSITORY / ".lab" / self.name)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs ``python -m lab WORDS`` to its end."""
        return subprocess.run(
            self._words(*words),
            cwd=REPOSITORY,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, *options: str) -> None:
        """Brings the lab up; fails the test with what was said when it does not come."""
        done = self.command("up", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    def killed_up(self, marker: str, *options: str) -> None:
        """Runs ``up`` and kills it without warning as soon as it says ``marker``."""
        with subprocess.Popen(
            self._words("up", *options), cwd=REPOSITORY, env=self._environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert any(marker in line for line in process.stdout), f"up never said {marker!r}"
            process.send_signal(signal.SIGKILL)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LAB_ROOT": str(self.paths.root)}

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "lab", *words]


def remains(identity: str) -> list[str]:
    """What carries the name of a lab: links, cgroups, and living processes. A killed one takes a moment to end."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = re.findall(rf"lab{identity}\w*", links)
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/lab-{identity}-*")]
    for membership in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            text = membership.read_text()
            status = membership.with_name("stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        # A zombie has ended; it waits for its parent to look.
        if f"lab-{identity}-" in text and status != "Z":
            found.append(str(membership))
    return found


def machine() -> tuple[str, list[str]]:
    """The machine's own mounts and addresses; labs, of which others may come and go meanwhile, are left out."""
    addresses = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True, check=True).stdout
    own = [line for line in addresses.splitlines() if not re.search(r" lab[0-9a-f]{6} ", line)]
    return Path("/proc/self/mountinfo").read_text(), own
