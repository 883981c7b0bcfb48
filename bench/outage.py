"""How long the API is away while audit logging comes: ``pulumi up`` beside a plain ``mv`` of the same manifest.

``python -m bench.outage`` on a lab that is up. Both restart the same API server of the same lab in one run; the
answer is polled on fresh connections from outside the node.
"""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import pairwise

from lab.api import Lab
from lab.stack import PulumiStack

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"


def longest_silence(endpoint: str, action: Callable[[], object]) -> float:
    """Seconds from the last answer before the longest gap to the first one after it, while ``action`` runs."""
    answers: list[float] = []
    done = threading.Event()

    def poll() -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not done.is_set():
            try:
                with urllib.request.urlopen(f"{endpoint}/livez", timeout=1, context=context):  # noqa: S310
                    answers.append(time.monotonic())
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        action()
    finally:
        done.set()
        poller.join()
    return max(after - before for before, after in pairwise(answers))


def main() -> None:
    lab = Lab.load()
    lab.reset()
    node = lab.nodes[0]
    stack = PulumiStack.prepare(lab.paths, lab.state, "outage")
    endpoint = lab.state.endpoint
    print("pulumi up (first enabling) ...", flush=True)
    started = time.monotonic()
    with_up = longest_silence(endpoint, lambda: stack.run("up", "--yes", "--skip-preview"))
    took = time.monotonic() - started

    def plain_move() -> None:
        node.run(f"sed 's/kubernetes-audit.policy-sha256: .*/&0/' {MANIFEST} >/etc/kubernetes/moved.yaml")
        node.run(f"mv /etc/kubernetes/moved.yaml {MANIFEST}")
        time.sleep(35)
        lab.wait_ready()

    print("a plain mv of a changed manifest ...", flush=True)
    with_move = longest_silence(endpoint, plain_move)
    lab.reset()
    stack.remove()
    print(f"pulumi up took {took:.1f} s; the API was away for {with_up:.1f} s")
    print(f"a plain mv: the API was away for {with_move:.1f} s")
    print(f"ratio {with_up / with_move:.2f}")


if __name__ == "__main__":
    main()
