"""Clients that write through the API's endpoint while a test changes the control plane, and what became of it."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab import access, build, tools
from lab.api import Lab
from lab.audit_logs import file_lines

CONNECTIONS = ("fresh", "kept")
"""A writer that makes an HTTP/1.1 connection for each request, as scripts do, and one that keeps one of HTTP/2."""
_PAUSE = "50ms"


@dataclass(frozen=True, slots=True)
class Written:
    """One request of a writer. ``status`` is 0 where no answer came.

    ``repeated``: the server asked for it once more, as one that ends does with 503 and Retry-After, and the writer did
    as client-go does.
    """

    connections: str
    audit_id: str
    verb: str
    began: str
    status: int
    error: str
    repeated: bool

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        return not self.succeeded and not self.repeated


@dataclass(slots=True)
class Writing:
    """What all writers did, once they have ended."""

    requests: list[Written] = field(default_factory=list)

    @property
    def failed(self) -> list[Written]:
        return [request for request in self.requests if request.failed]


@contextmanager
def writing(lab: Lab, folder: Path) -> Iterator[Writing]:
    """Has one writer of each kind create, update and delete ConfigMaps as alice for as long as the block runs.

    ``folder`` is for their keys and output. The requests are there when the block has ended.
    """
    build.build(lab.paths, [tools.configmap_writer()])
    credentials = _credentials(lab, folder)
    program = tools.configmap_writer().path(lab.paths)
    outputs = {connections: folder / f"{connections}.jsonl" for connections in CONNECTIONS}
    processes = []
    for connections, output in outputs.items():
        with output.open("w") as lines:
            # A test run that is killed must not leave it writing.
            command = ["setpriv", "--pdeathsig=KILL", str(program), "-server", lab.state.endpoint, "-pause", _PAUSE]
            command += ["-connections", connections, "-prefix", f"written-{uuid.uuid4().hex[:8]}", *credentials]
            processes.append(subprocess.Popen(command, stdout=lines))
    result = Writing()
    try:
        yield result
    finally:
        for process in processes:
            process.terminate()
        ended = [process.wait(timeout=300) for process in processes]
    assert ended == [0] * len(processes)
    for connections, output in outputs.items():
        result.requests += [_written(connections, json.loads(line)) for line in output.read_text().splitlines()]
    assert {request.connections for request in result.requests} == set(CONNECTIONS), "a writer wrote nothing"


def _credentials(lab: Lab, folder: Path) -> list[str]:
    """The writer's options for alice's certificate, with the key in ``folder``."""
    config = yaml.safe_load(lab.paths.user_kubeconfig(access.PERSON).read_text())
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    options = []
    for option, encoded in (
        ("ca", cluster["certificate-authority-data"]),
        ("certificate", user["client-certificate-data"]),
        ("key", user["client-key-data"]),
    ):
        file = folder / f"{option}.pem"
        file.write_bytes(base64.b64decode(encoded))
        options += [f"-{option}", str(file)]
    return options


def _written(connections: str, line: dict[str, Any]) -> Written:
    return Written(
        connections,
        line["auditID"],
        line["verb"],
        line["began"],
        line["status"],
        str(line.get("error", "")),
        bool(line.get("repeated", False)),
    )


def recorded(lab: Lab, log: str) -> Counter[tuple[str, str]]:
    """How often each (audit ID, stage) is in the logs of all nodes together, those that were rotated away included."""
    events = (
        json.loads(line)
        for node in lab.nodes
        for line in file_lines(lab.paths.node(node.name) / Path(log).parent.relative_to("/"))
    )
    return Counter((event["auditID"], event["stage"]) for event in events)


def missing(requests: Sequence[Written], counted: Counter[tuple[str, str]], stages: Sequence[str]) -> list[str]:
    """The requests that lack a line for one of ``stages``, with their verb and answer."""
    return [
        f"{request.verb} {request.audit_id}, status {request.status}: no {stage}"
        for request in requests
        for stage in stages
        if (request.audit_id, stage) not in counted
    ]
