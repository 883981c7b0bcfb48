"""What the operator runs: one ``pulumi`` command beside the test."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PulumiStack


@dataclass(frozen=True, slots=True)
class Operation:
    """A ``pulumi`` command that runs."""

    process: subprocess.Popen[bytes]
    printed: Path

    def runs(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """What it has printed so far, both streams together."""
        return self.printed.read_text(errors="replace")

    def wait(self, seconds: float = 420) -> int:
        """Its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end:\n{self.output()}") from None

    def prints(self, text: str, seconds: float = 480) -> None:
        """Waits until it has printed the text."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            assert self.runs(), f"never printed {text!r}:\n{self.output()}"
            assert time.monotonic() < deadline, f"did not print {text!r}:\n{self.output()}"
            time.sleep(0.2)

    def fails(self) -> str:
        """Waits for its end, which is a failure, and gives what it printed."""
        assert self.wait() != 0, self.output()
        return self.output()

    def succeeds(self) -> str:
        """Waits for its end, which is a success, and gives what it printed."""
        assert self.wait() == 0, self.output()
        return self.output()


@contextmanager
def operation(stack: PulumiStack, verb: str) -> Iterator[Operation]:
    """Starts ``pulumi VERB`` on the stack; kills it if it still runs in the end."""
    printed = stack.folder / f"{verb}.txt"
    with (
        printed.open("wb") as output,
        subprocess.Popen(
            stack.command(verb, "--yes", "--skip-preview"),
            cwd=REPOSITORY,
            env=environment(stack.paths),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield Operation(process, printed)
        finally:
            process.kill()
