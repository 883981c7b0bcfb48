"""How long the API of a single control-plane node is away while its API server restarts, each way in one run.

``python -m bench.outage`` on a lab that is up. The ways of ``pulumi up`` stand beside what people do otherwise: a plain
``mv`` of a changed manifest, and kubeadm's own ``upgrade apply`` of the same version. The API is asked on a fresh
connection every 50 ms from outside the node; an attempt that gets no answer in five seconds, or none that is 2xx,
has failed.
"""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.api import Lab, Node
from lab.stack import PulumiStack

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
# Records the beginning of every write, which a quick restart needs.
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
# What kubeadm's checks miss in the lab: a kernel configuration to read, and CoreDNS, for which there is no image.
NOT_CHECKED = "SystemVerification,CoreDNSUnsupportedPlugins,CoreDNSMigration,CreateJob,ControlPlaneNodesReady"


@dataclass
class Answers:
    """Every attempt in its order: when it was made, and whether it was answered."""

    attempts: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(not answered for _, answered in self.attempts)

    @property
    def away(self) -> float:
        """Seconds from the first attempt that failed to the next one that did not, all gaps together."""
        total, since = 0.0, None
        for when, answered in self.attempts:
            if not answered and since is None:
                since = when
            elif answered and since is not None:
                total, since = total + when - since, None
        return total


def measured(endpoint: str, action: Callable[[], object]) -> tuple[Answers, float]:
    """What the API answered while ``action`` ran, and how many seconds it ran."""
    answers = Answers()
    done = threading.Event()

    def ask() -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not done.is_set():
            began = time.monotonic()
            try:
                with urllib.request.urlopen(f"{endpoint}/readyz", timeout=5, context=context):  # noqa: S310
                    answers.attempts.append((began, True))
            except (urllib.error.URLError, OSError):
                answers.attempts.append((began, False))
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    try:
        action()
    finally:
        took = time.monotonic() - began
        done.set()
        asking.join()
    return answers, took


def plain_move(lab: Lab, node: Node) -> None:
    """What runbooks do: a changed manifest moved over the present one, and waiting."""
    node.run(f"sed 's/kubernetes-audit.policy-sha256: .*/&0/' {MANIFEST} >/etc/kubernetes/moved.yaml")
    node.run(f"mv /etc/kubernetes/moved.yaml {MANIFEST}")
    time.sleep(35)
    lab.wait_ready()


def kubeadm_upgrade(lab: Lab, node: Node) -> None:
    """kubeadm's own way to bring a changed kubeadm-config into effect; it restarts the other components too."""
    version = node.run("kubeadm version -o short").stdout.strip()
    node.run(f"kubeadm upgrade apply {version} --yes --force --ignore-preflight-errors={NOT_CHECKED}")
    lab.wait_ready()


def main() -> None:
    lab = Lab.load()
    lab.reset()
    node = lab.nodes[0]
    stack = PulumiStack.prepare(lab.paths, lab.state, "outage")
    policy = stack.folder / "policy.yaml"
    policy.write_text(POLICY)

    def up(days: int, **settings: object) -> Callable[[], object]:
        def run() -> None:
            log = {"maxAge": days}
            stack.configure(lab.state, {"policy": {"file": str(policy)}, "auditLog": log, **settings})
            stack.run("up", "--yes", "--skip-preview")

        return run

    ways: list[tuple[str, Callable[[], object]]] = [
        ("pulumi up, restart: seamless (first enabling)", up(30)),
        ("pulumi up, restart: seamless", up(31)),
        ("pulumi up, restart: quick", up(32, restart="quick")),
        ("pulumi up, restart: drain", up(33, restart="drain")),
        ("a plain mv of the manifest", lambda: plain_move(lab, node)),
        ("kubeadm upgrade apply, same version", lambda: kubeadm_upgrade(lab, node)),
    ]
    print(f"{'':46} {'API away':>9} {'failed':>7} {'asked':>6} {'took':>7}")
    for name, action in ways:
        answers, took = measured(lab.state.endpoint, action)
        counts = f"{answers.failed:7} {len(answers.attempts):6}"
        print(f"{name:46} {answers.away:7.1f} s {counts} {took:5.0f} s", flush=True)
    lab.reset()
    stack.remove()


if __name__ == "__main__":
    main()
