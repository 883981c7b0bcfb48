"""Clients of an API server that notice every answer that is not as it should be, as users of the cluster would."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

PAUSE = 0.05


@dataclass
class Record:
    """What one client saw: the audit ids of its answers with the time of the request, what was refused or failed."""

    name: str
    answers: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    failed_fresh: list[str] = field(default_factory=list)
    closed_kept: int = 0


@contextlib.contextmanager
def four_clients(kubeconfig: Path) -> Iterator[list[Record]]:
    """Four authenticated clients at work: reads and creates, each on fresh connections and on a kept one.

    A kept connection that the server closes, or on which it answers that it is shutting down, is opened again and the
    request repeated, as client-go does.
    """
    done = threading.Event()
    records = [Record(f"{kind} {way}") for kind in ("read", "create") for way in ("fresh", "kept")]
    with tempfile.TemporaryDirectory() as folder:
        server, context = _credentials(kubeconfig, Path(folder))
        threads = [threading.Thread(target=_work, args=(record, server, context, done)) for record in records]
        for thread in threads:
            thread.start()
        try:
            yield records
        finally:
            done.set()
            for thread in threads:
                thread.join()


def _credentials(kubeconfig: Path, folder: Path) -> tuple[str, ssl.SSLContext]:
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    certificate, key = folder / "certificate", folder / "key"
    certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
    key.write_bytes(base64.b64decode(user["client-key-data"]))
    context.load_cert_chain(certificate, key)
    return urlsplit(cluster["server"]).netloc, context


def _work(record: Record, server: str, context: ssl.SSLContext, done: threading.Event) -> None:
    kind, way = record.name.split(" ")
    kept: http.client.HTTPSConnection | None = None
    number = 0
    while not done.is_set():
        connection = kept or http.client.HTTPSConnection(server, timeout=30, context=context)
        began = time.time()
        try:
            _ask(connection, kind, number, record, began, kept=kept is not None)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if kept is not None:
                record.closed_kept += 1
            else:
                record.failed_fresh.append(f"{began}: {error!r}")
            kept = None
            continue
        if way == "kept":
            kept = connection
        else:
            connection.close()
        number += 1
        time.sleep(PAUSE)
    if kept is not None:
        kept.close()


def _ask(
    connection: http.client.HTTPSConnection, kind: str, number: int, record: Record, began: float, *, kept: bool
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    if kind == "read":
        connection.request("GET", f"{path}/kube-root-ca.crt")
    else:
        name = f"{record.name.replace(' ', '-')}-{began:.6f}-{number}".replace(".", "-")
        body = json.dumps({"metadata": {"name": name, "labels": {"made-by": "clients"}}})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if kept and answer.status == 503 and answer.headers["Retry-After"]:
        raise http.client.HTTPException("the server is shutting down")
    if answer.status // 100 != 2:
        record.refused.append(f"{began}: {answer.status} {text[:200]!r}")
    record.answers[answer.headers["Audit-Id"]] = began
