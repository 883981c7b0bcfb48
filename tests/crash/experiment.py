"""Cuts the power at every moment of an operation, boots, and looks whether everything comes to its end."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditlog.manifest.desired import sha256
from tests.crash.disk import Cut, Disk, FileSystem
from tests.crash.invariants import broken_after_boot, contents, fingerprint, not_given_back
from tests.crash.node import CrashNode, DiskCopy
from tests.crash.operations import Operation
from tests.crash.stack import CrashStack, Inputs
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION

Original = dict[str, tuple[int, bytes]]
_END = "its end"
# How often a moment is tried with a shutdown as well as with a copy, which costs another run of the operation.
_SHUT_DOWN_EVERY = 50


@dataclass
class Tally:
    """How many power cuts there were, by the step that they hit, and what was wrong after them.

    ``cuts`` are by operation, step of the journal, file system and ``Cut``. ``seen`` are the disks that were tried out
    already, whatever file system they were on, each with what was wrong; ``removed`` those of which ``destroy`` was
    tried, each with what it did not give back. ``compared`` counts the copies that were, or were not, what a shutdown
    of another run left.
    """

    cuts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    compared: Counter[bool] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Right before ``about`` is run, or at the end; ``state`` is what the stack knew then."""

    copied: DiskCopy
    about: str
    state: Mapping[str, Inputs]

    def __str__(self) -> str:
        return f"{self.copied.moment}: {self.copied.step or '-'}, {self.about}"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The stack right before the operation, the files before anything, and the hashes of all before and after."""

    stack: CrashStack
    original: Original
    known: frozenset[str]


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

    def at_every_moment(self) -> None:
        """And right after the end, on copies of the disk. Every now and then it is shut down too."""
        prepared, moments = self._run_whole()
        for moment in moments:
            with self._restored(prepared, moment) as stack:
                if moment.copied.moment % _SHUT_DOWN_EVERY == 1:
                    with self._shut_down(prepared, moment) as other:
                        if not self._are_the_same(stack, other):
                            self._judge(other, prepared, moment)
                self._judge(stack, prepared, moment)

    def at(self, about: str) -> None:
        """The first moment at which a command that begins with this text is about to run, and right after the end."""
        prepared, moments = self._run_whole(about)
        for moment in (moments[0], moments[-1]):
            with self._shut_down(prepared, moment) as stack:
                with self._restored(prepared, moment) as other:
                    if not self._are_the_same(stack, other):
                        self._judge(other, prepared, moment)
                self._judge(stack, prepared, moment)

    def at_its_end(self) -> None:
        """Right after the stack was told that all is done: it must be so after the boot."""
        prepared, moments = self._run_whole(_END)
        with self._shut_down(prepared, moments[-1]) as stack:
            self._judge(stack, prepared, moments[-1])

    def _run_whole(self, about: str = "") -> tuple[_Prepared, list[_Moment]]:
        """Runs it once with the power on. The moments are those before commands that begin so, and its end."""
        stack, original = self._before()
        with self._copy(stack, "whole") as whole:
            node = whole.node
            before = contents(node.kubernetes)
            node.copy_disk_at(about)
            ran = self.operation.run(whole)
            assert (ran.status == 0) != self.operation.put_back, ran.printed
            node.copy_disk_now()
            commands = [*node.moments(), _END]
            moments = [
                _Moment(copied, commands[copied.moment - 1], whole.state_at(copied.moment)) for copied in node.copies()
            ]
            if self.operation.put_back:
                node.cannot_start_with()
                node.cut_power_at(0)
                whole.up()
            files = [*before.values(), *contents(node.kubernetes).values()]
        known = frozenset(sha256(content.decode()) for _, content in files if content)
        return _Prepared(stack, original, known), moments

    def _before(self) -> tuple[CrashStack, Original]:
        node = self._node("prepared")
        node.disk.make()
        node.disk.mount()
        try:
            node.equip(self.cut, syncs=self.syncs)
            node.install()
            self.operation.furnish(node)
            original = contents(node.kubernetes)
            stack = CrashStack(node, {})
            self.operation.prepare(stack)
        finally:
            node.disk.unmount()
        return stack, original

    @contextmanager
    def _restored(self, prepared: _Prepared, moment: _Moment) -> Iterator[CrashStack]:
        """The stack after the boot from the copy that was made at this moment."""
        with self._copy(prepared.stack, "copy", moment.copied) as stack:
            yield replace(stack, state=dict(moment.state))

    @contextmanager
    def _shut_down(self, prepared: _Prepared, moment: _Moment) -> Iterator[CrashStack]:
        """The same after the disk was shut down at this moment of another run."""
        with self._copy(prepared.stack, "cut") as stack:
            if moment.about == _END:
                self.operation.run(stack)
                stack.node.cut_power(self.cut)
            else:
                stack.node.cut_power_at(moment.copied.moment)
                ran = self.operation.run(stack)
                assert ran.cut_at is not None, f"the power was not cut at {moment}: {ran.printed}"
            stack.node.cannot_start_with()
            stack.node.boot()
            yield stack

    def _are_the_same(self, one: CrashStack, other: CrashStack) -> bool:
        """Linux writes by itself what has waited for half a minute: on a busy machine two runs may differ by that."""
        same = self._print(one) == self._print(other)
        self.tally.compared[same] += 1
        return same

    def _judge(self, stack: CrashStack, prepared: _Prepared, moment: _Moment) -> None:
        step = "at its end" if moment.about == _END else moment.copied.step or "-"
        self.tally.cuts[str(self.operation), step, str(self.file_system), self.cut.name] += 1
        problems = list(broken_after_boot(stack.node, prepared.known))
        if moment.about == _END and not problems:
            problems += self._not_as_told(stack, prepared.original)
        disk = self._print(stack)
        if disk not in self.tally.seen:
            self.tally.seen[disk] = list(self._tried_out(stack, prepared.original))
        problems += self.tally.seen[disk]
        where = f"{self.operation}, {self.file_system}, {self.cut.name}, {moment}"
        self.tally.broken += [f"{where}: {problem}" for problem in problems]

    def _not_as_told(self, stack: CrashStack, original: Original) -> Iterator[str]:
        """What is not so, although the command has ended and reported it."""
        if self.operation.removes:
            yield from not_given_back(stack.node, original, CLUSTER_CONFIGURATION)
        elif not self.operation.put_back:
            yield from (f"{name} is to be done again" for name, _, _ in stack.changes())

    def _tried_out(self, stack: CrashStack, original: Original) -> Iterator[str]:
        """What does not come to its end: the next ``up``, the one after it, ``destroy``."""
        if self.operation.removes:
            stack.node.disk.unmount()
            with self._copy(stack, "removed") as other:
                yield from self._removed(other, original)
            stack.node.disk.mount()
        try:
            ran = stack.up()
            if ran.status != 0:
                yield f"the next up fails: {ran.printed}"
                return
            left = [name for name, _, _ in stack.changes()]
            if left:
                yield f"the up after it still changes {left}"
            if self.operation.reloads and stack.node.has_ended_one:
                yield "an API server was ended although nothing has to"
        except Exception as error:  # noqa: BLE001  # a program that refuses is what is looked for
            yield f"the program refuses: {type(error).__name__}: {error}"
            return
        yield from self._removed(stack, original)

    def _removed(self, stack: CrashStack, original: Original) -> Iterator[str]:
        """What ``destroy`` does not give back. Most disks are the same once an ``up`` has completed."""
        disk = self._print(stack)
        if disk not in self.tally.removed:
            ran = stack.destroy()
            self.tally.removed[disk] = (
                [*not_given_back(stack.node, original, CLUSTER_CONFIGURATION)]
                if ran.status == 0
                else [f"destroy fails: {ran.printed}"]
            )
        yield from self.tally.removed[disk]

    def _print(self, stack: CrashStack) -> str:
        """The same for two stacks that differ by times and process ids only, on the node and in their state."""
        state = re.sub(r"@\d+|unproven=\w+", "TIME", json.dumps(stack.state, sort_keys=True))
        return f"{self.operation} {fingerprint(stack.node)} {sha256(state)}"

    def _node(self, name: str) -> CrashNode:
        disk = Disk(self.file_system, self.folder / f"{name}.img", self.folder / name)
        return CrashNode(disk, self.folder / f"{name}-memory")

    @contextmanager
    def _copy(self, stack: CrashStack, name: str, copied: DiskCopy | None = None) -> Iterator[CrashStack]:
        """The same stack with a copy of its node, which has power meanwhile; or with the node as it was copied then."""
        node = self._node(name)
        node.equip(self.cut, syncs=self.syncs)
        if copied is None:
            node.disk.copy_of(stack.node.disk)
            node.remember(stack.node)
        else:
            node.take(copied)
        node.disk.mount()
        try:
            yield replace(stack, node=node, state=dict(stack.state), history=[(0, dict(stack.state))])
        finally:
            node.disk.release()
