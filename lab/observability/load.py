"""Many audited requests against the lab's API server, whatever happens to it meanwhile."""

from __future__ import annotations

import http.client
import itertools
import ssl
import threading
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from lab.api import Lab
from lab.observability.prometheus import write_client_certificate

_WORKERS = 4
_PAUSE = 0.5


class Load:
    """``total`` requests, at most ``rate`` a second, made by threads while the ``with`` block runs.

    Each is a read of a ConfigMap that does not exist. One that gets no answer is made again.
    """

    def __init__(self, lab: Lab, total: int, rate: float) -> None:
        self.total, self._rate = total, rate
        self._numbers = itertools.count(1)
        self._done = itertools.count(1)
        self.done = 0
        self._stopped = threading.Event()
        self._address = urlsplit(lab.state.endpoint)
        self._context = _client_context(lab, lab.paths.observability / "load")
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_WORKERS)]
        self._started = 0.0

    def __enter__(self) -> Load:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, share: float) -> None:
        """Wait until this share of all requests, from 0 to 1, has been answered."""
        while self.done < share * self.total:
            time.sleep(0.1)

    def _work(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        while (number := next(self._numbers)) <= self.total and not self._stopped.is_set():
            time.sleep(max(0.0, self._started + number / self._rate - time.monotonic()))
            while not self._stopped.is_set():
                try:
                    connection = connection or http.client.HTTPSConnection(
                        self._address.hostname or "", self._address.port, timeout=10, context=self._context
                    )
                    connection.request("GET", f"/api/v1/namespaces/default/configmaps/load-{number}")
                    connection.getresponse().read()
                    self.done = next(self._done)
                    break
                except (OSError, http.client.HTTPException):
                    if connection is not None:
                        connection.close()
                    connection = None
                    time.sleep(_PAUSE)
        if connection is not None:
            connection.close()


def _client_context(lab: Lab, folder: Path) -> ssl.SSLContext:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_client_certificate(lab.paths.kubeconfig, folder)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(str(folder / "client.crt"), str(folder / "client.key"))
    return context
