"""The events in Loki as log files, for commands that read a log several times."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from auditlog.events.loki.store import LokiStore
from auditlog.events.reading import Damage, Progress
from auditlog.events.sources import LogFile, LogSet


def copied(store: LokiStore, folder: Path, progress: Progress = lambda _: None) -> LogSet:
    """Writes what Loki has of the time into `folder`, a file for each node. Nobody else should use `folder`.

    A node's name comes from Loki's labels, with its cluster in front. Raises LokiError, and OSError if the folder has
    no room.
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
    """The same damage, with places that name the node instead of the copy's file."""
    nodes = {file.path: f"{file.node} in Loki" for file in logs.files}

    def place(text: str) -> str:
        path, colon, line = text.rpartition(":")
        return f"{nodes[path]}, line {line}" if colon and path in nodes else nodes.get(text, text)

    return replace(damage, examples=tuple(replace(each, place=place(each.place)) for each in damage.examples))
