"""The events of a Loki as log files, for what has to read a log several times."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from auditlog.events.loki.store import LokiStore
from auditlog.events.reading import Damage, Progress
from auditlog.events.sources import LogFile, LogSet


def copied(store: LokiStore, folder: Path, progress: Progress = lambda _: None) -> LogSet:
    """Writes what Loki has of the time into `folder`, a file for each node; `folder` should be nobody else's.

    A node is called as Loki's labels have it, with its cluster in front. Raises LokiError, and OSError where the folder
    has no room.
    """
    files: dict[str, tuple[Path, BinaryIO]] = {}
    with ExitStack() as opened:
        for node, line in store.lines():
            if node not in files:
                path = folder / f"{len(files)}.log"
                files[node] = path, opened.enter_context(path.open("wb"))
            text = line.encode()
            files[node][1].write(text + b"\n")
            progress(len(text) + 1)
    found = (LogFile(node, str(path), path.stat().st_size) for node, (path, _) in sorted(files.items()))
    return LogSet(tuple(found))


def named(damage: Damage, logs: LogSet) -> Damage:
    """The same with places that say which node's events they are, and not where the copy lay."""
    nodes = {file.path: f"{file.node} in Loki" for file in logs.files}

    def place(text: str) -> str:
        path, colon, line = text.rpartition(":")
        return f"{nodes[path]}, line {line}" if colon and path in nodes else nodes.get(text, text)

    return replace(damage, examples=tuple(replace(each, place=place(each.place)) for each in damage.examples))
