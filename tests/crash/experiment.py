"""Cuts the power at every moment of an operation, boots, and looks whether everything comes to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditlog.manifest.desired import sha256
from tests.crash.disk import Cut, Disk, FileSystem
from tests.crash.invariants import broken_after_boot, contents, fingerprint, not_given_back
from tests.crash.node import CrashNode
from tests.crash.operations import Operation
from tests.crash.stack import CrashStack
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION

Original = dict[str, tuple[int, bytes]]


@dataclass
class Tally:
    """How many power cuts there were, by the step that they hit, and what was wrong after them.

    ``cuts`` are by operation, step of the journal, file system and ``Cut``. ``seen`` are the disks that were tried out
    already, whatever file system they were on, each with what was wrong.
    """

    cuts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Experiment:
    """One operation on one file system; ``cut`` is how the power goes. ``folder`` takes the disks.

    Without ``syncs`` the scripts' sync does nothing, for what is broken then to be seen.
    """

    operation: Operation
    file_system: FileSystem
    cut: Cut
    folder: Path
    tally: Tally
    syncs: bool = True

    def run(self, only: Sequence[str] | None = None) -> None:
        """Every moment, and right after the end. With ``only`` the first that begins with each of these texts."""
        stack, original = self._prepared()
        known, moments = self._known(stack)
        for moment in self._chosen(moments, only):
            self._at(moment, moments[moment - 1], stack, original, known)
        self._at_its_end(stack, original, known)

    def _prepared(self) -> tuple[CrashStack, Original]:
        node = self._node("prepared")
        node.disk.make()
        node.disk.mount()
        try:
            node.equip(self.cut, syncs=self.syncs)
            node.install()
            original = contents(node.kubernetes)
            stack = CrashStack(node, {})
            self.operation.prepare(stack)
        finally:
            node.disk.unmount()
        return stack, original

    def _known(self, prepared: CrashStack) -> tuple[frozenset[str], list[str]]:
        """Runs it once with the power on: what files there are before and after, and what is run in it."""
        with self._copy(prepared, "known") as stack:
            before = contents(stack.node.kubernetes)
            stack.node.cut_power_at(0)
            ran = self.operation.run(stack)
            assert (ran.status == 0) != self.operation.put_back, ran.printed
            stack.node.cannot_start_with()
            moments = stack.node.moments()
            if self.operation.put_back:
                stack.up()
            files = [*before.values(), *contents(stack.node.kubernetes).values()]
            return frozenset(sha256(content.decode()) for _, content in files if content), moments

    def _at(self, moment: int, about: str, prepared: CrashStack, original: Original, known: frozenset[str]) -> None:
        with self._copy(prepared, "cut") as stack:
            stack.node.cut_power_at(moment)
            ran = self.operation.run(stack)
            assert ran.cut_at is not None, f"the power was not cut at {moment}, {about}: {ran.printed}"
            stack.node.cannot_start_with()
            stack.node.boot()
            where = (
                f"{self.operation}, {self.file_system}, {self.cut.name}, {moment}: {ran.cut_in or '-'}, {ran.cut_at}"
            )
            problems = list(broken_after_boot(stack.node, known))
            print_of_disk = f"{self.operation} {fingerprint(stack.node)} {sorted(stack.state)}"
            if print_of_disk not in self.tally.seen:
                self.tally.seen[print_of_disk] = list(self._tried_out(stack, original))
            problems += self.tally.seen[print_of_disk]
            self.tally.cuts[str(self.operation), ran.cut_in or "-", str(self.file_system), self.cut.name] += 1
            self.tally.broken += [f"{where}: {problem}" for problem in problems]

    def _at_its_end(self, prepared: CrashStack, original: Original, known: frozenset[str]) -> None:
        """The power is cut right after the stack was told that all is done: it must be so after the boot."""
        with self._copy(prepared, "cut") as stack:
            self.operation.run(stack)
            stack.node.cannot_start_with()
            stack.node.cut_power(self.cut)
            stack.node.boot()
            where = f"{self.operation}, {self.file_system}, {self.cut.name}, at its end"
            self.tally.cuts[str(self.operation), "at its end", str(self.file_system), self.cut.name] += 1
            problems = list(broken_after_boot(stack.node, known))
            if not problems and self.operation.removes:
                problems += not_given_back(stack.node, original, CLUSTER_CONFIGURATION)
            elif not problems and not self.operation.put_back:
                problems += [f"{name} is to be done again" for name, _, _ in stack.changes()]
            if not problems:
                problems += self._tried_out(stack, original)
            self.tally.broken += [f"{where}: {problem}" for problem in problems]

    def _tried_out(self, stack: CrashStack, original: Original) -> Iterator[str]:
        """What does not come to its end: the next ``up``, the one after it, ``destroy``."""
        if self.operation.removes:
            stack.node.disk.unmount()
            with self._copy(stack, "removed") as other:
                yield from _removed(other, original)
            stack.node.disk.mount()
        try:
            ran = stack.up()
            if ran.status != 0:
                yield f"the next up fails: {ran.printed}"
                return
            left = [name for name, _, _ in stack.changes()]
            if left:
                yield f"the up after it still changes {left}"
        except Exception as error:  # noqa: BLE001  # a program that refuses is what is looked for
            yield f"the program refuses: {type(error).__name__}: {error}"
            return
        yield from _removed(stack, original)

    def _chosen(self, moments: Sequence[str], only: Sequence[str] | None) -> list[int]:
        if only is None:
            return [*range(1, len(moments) + 1)]
        return [next(number for number, each in enumerate(moments, start=1) if each.startswith(text)) for text in only]

    def _node(self, name: str) -> CrashNode:
        disk = Disk(self.file_system, self.folder / f"{name}.img", self.folder / name)
        return CrashNode(disk, self.folder / f"{name}-memory")

    @contextmanager
    def _copy(self, stack: CrashStack, name: str) -> Iterator[CrashStack]:
        """The same stack with a copy of its node, which has power meanwhile."""
        node = self._node(name)
        node.disk.copy_of(stack.node.disk)
        node.equip(self.cut, syncs=self.syncs)
        node.remember(stack.node)
        node.disk.mount()
        try:
            yield replace(stack, node=node, state=dict(stack.state))
        finally:
            node.disk.release()


def _removed(stack: CrashStack, original: Original) -> Iterator[str]:
    ran = stack.destroy()
    if ran.status != 0:
        yield f"destroy fails: {ran.printed}"
        return
    yield from not_given_back(stack.node, original, CLUSTER_CONFIGURATION)
