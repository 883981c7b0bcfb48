"""One fault on one node: what was there before, what has to hold after it, and that the next ``up`` completes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from difflib import unified_diff
from typing import Any

from auditlog.plan.restart import placed_first
from lab.api import Lab, Node
from lab.errors import LabError
from lab.stack import PulumiStack
from tests.lab.faults.machine import make_sound
from tests.lab.test_first_stack import ARCHIVE, LOG, MANIFEST, POLICY, config_sha256

STATE = "/etc/kubernetes/audit-logging"
JOURNAL = f"{STATE}/journal"
_API = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=3s get --raw"
_HEALTHY = f'[ "$({_API} /livez 2>/dev/null)" = ok ] && [ "$({_API} /readyz 2>/dev/null)" = ok ]'
_PROCESSES = (
    "for comm in $(grep -lx kube-apiserver /proc/[0-9]*/comm); do tr '\\0' '\\n' <${comm%comm}cmdline; echo; done"
)
_NOTES = "/etc/kubernetes/hand-made/notes"
# What a power cut leaves of a file that was to be renamed over another one.
_HALF_WRITTEN = ".*.kubernetes-audit*"
# Every file there but those that are the stack's to change, a canary's manifest among them, by mode, name and content.
_OTHERS = (
    f"cd /etc/kubernetes && find . -path .{STATE.removeprefix('/etc/kubernetes')} -prune"
    f" -o -path .{ARCHIVE.removeprefix('/etc/kubernetes')} -prune"
    " -o -type f ! -path './manifests/kube-apiserver*.yaml' ! -path ./audit-policy.yaml ! -name .filler"
    f" ! -name '{_HALF_WRITTEN}'"
    " -printf '%m %p ' -exec sha256sum {} ';' | sort"
)
_FROM_ITS_END = 300


@dataclass(frozen=True, slots=True)
class Observed:
    """The node at one moment. ``policy`` is empty where there is no file."""

    manifest: str
    policy: str
    kubeadm_config: str
    others: str

    @classmethod
    def of(cls, node: Node) -> Observed:
        return cls(
            manifest=node.run(f"cat {MANIFEST}").stdout,
            policy=node.run(f"cat {POLICY} 2>/dev/null", check=False).stdout,
            kubeadm_config=config_sha256(node),
            others=node.run(_OTHERS).stdout,
        )

    def is_one_of(self, *states: Observed) -> None:
        """Fails unless each file is, byte for byte, as in one of the states."""
        for each in fields(self):
            now, allowed = getattr(self, each.name), [getattr(state, each.name) for state in states]
            assert now in allowed, f"{each.name}:\n{_differences(allowed[0], now)}"

    def placed_first(self) -> Observed:
        """The node half-way to these files in a quick restart: the same but for an annotation of the manifest."""
        edits = placed_first(self.manifest)
        edited = subprocess.run(["sed", "-e", edits], input=self.manifest, capture_output=True, text=True, check=True)
        return replace(self, manifest=edited.stdout)


def _differences(expected: str, found: str) -> str:
    return "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", n=0, lineterm=""))


def make_baseline(lab: Lab) -> Observed:
    """The node as kubeadm left it, with something made by hand: a file, and an API server that drains for less long.

    It ends its requests for 3 seconds instead of 30, so that the many restarts of these tests take less time.
    """
    lab.reset()
    node = lab.nodes[0]
    node.run(f"install -D -m 640 /dev/null {_NOTES} && echo kept >{_NOTES}")
    spec = "\nspec:\n"
    text = node.run(f"cat {MANIFEST}").stdout
    write_manifest(node, text.replace(spec, f"{spec}  terminationGracePeriodSeconds: 3\n", 1))
    # kubelet may be ending it already.
    node.run("sleep 3; pkill -KILL -x kube-apiserver", check=False)
    lab.wait_ready()
    return Observed.of(node)


def write_manifest(node: Node, text: str) -> None:
    """Puts ``text`` in the manifest's place as a careful person does, by a rename."""
    aside = node.paths.node(node.name) / "etc/kubernetes/aside"
    aside.touch(mode=0o600)
    aside.write_text(text)
    node.run(f"mv /etc/kubernetes/aside {MANIFEST}")


def undo_baseline(lab: Lab) -> None:
    """The node as kubeadm left it."""
    make_sound(lab)
    lab.nodes[0].run(f"rm -rf {_NOTES.rpartition('/')[0]}")
    lab.reset()


@dataclass(frozen=True, slots=True)
class Experiment:
    """A node that nothing is wrong with, a stack that has nothing on it yet, and what the node was like before."""

    lab: Lab
    node: Node
    stack: PulumiStack
    before: Observed
    is_quick: bool = False

    @classmethod
    @contextmanager
    def begin(
        cls, lab: Lab, name: str, baseline: Observed, settings: Mapping[str, Any] | None = None
    ) -> Iterator[Experiment]:
        """Brings the node to the ``baseline``, whatever the test before has left, and makes the stack ``name``."""
        node = lab.nodes[0]
        make_sound(lab)
        node.run(f"rm -rf {STATE} {ARCHIVE} {LOG.rpartition('/')[0]}")
        if node.run(_HEALTHY, check=False).returncode != 0 or Observed.of(node) != baseline:
            assert make_baseline(lab) == baseline
        PulumiStack.prepare(lab.paths, lab.state, name).remove()  # what a run that was killed may have left
        stack = PulumiStack.prepare(lab.paths, lab.state, name, settings)
        yield cls(lab, node, stack, baseline, (settings or {}).get("restart") == "quick")
        stack.remove()

    def run(self, verb: str) -> subprocess.CompletedProcess[str]:
        options = () if verb == "preview" else ("--yes", "--skip-preview")
        return self.stack.run(verb, *options, check=False)

    def fails(self, verb: str = "up") -> str:
        """Runs ``pulumi VERB``, which fails, and gives what it printed."""
        result = self.run(verb)
        assert result.returncode != 0, result.stdout
        return result.stdout

    def settled(self) -> Observed:
        """What the node comes to by itself after a fault: nobody is at work on it and its API server is healthy."""
        deadline = time.monotonic() + _FROM_ITS_END
        at_rest = "! pgrep -f '[n]ode.sh (work|guard|after-boot)'"
        while True:
            if self.node.run(f"{at_rest} && {_HEALTHY}", check=False).returncode == 0:
                # kubelet may be about to end that very API server, as after a copy of its manifest is gone.
                with suppress(LabError):
                    return Observed.of(self.node)
            assert time.monotonic() < deadline, f"no healthy API server:\n{self._said()}"
            time.sleep(2)

    def nothing_happened(self) -> None:
        """The node is as it was, and its API server never stopped."""
        assert self.settled() == self.before
        self._nothing_is_left_over()

    def completes(self, verb: str = "up") -> str:
        """Runs ``pulumi VERB``, which succeeds, and gives what it printed."""
        result = self.run(verb)
        assert result.returncode == 0, result.stdout
        return result.stdout

    def recovers(self, after_fault: Observed) -> Observed:
        """The next ``up`` completes, and what the fault left was the old state or this new one, each file whole."""
        if self.node.run(f"ls {JOURNAL}", check=False).returncode == 0:
            preview = self.completes("preview")
            assert "an earlier change of the node was cut off and is to be finished" in preview
            assert "since this stack wrote it" not in preview, "what the stack left half-way is nobody's edit"
            assert "resume: an earlier change of this node was cut off" in self.completes("up")
        else:
            self.completes("up")
        self.stack.run("preview", "--expect-no-changes")
        new = self.settled()
        assert "--audit-log-path=" in new.manifest
        assert new.others == self.before.others
        self._is_whole(after_fault, new)
        self._nothing_is_left_over()
        assert self.before.manifest in self._archived(), "the archive lacks what was there before audit logging"
        return new

    def gives_back(self, after_fault: Observed, new: Observed) -> None:
        """The next ``destroy`` completes and leaves the node as it was; the archive stays."""
        self._is_whole(after_fault, new)
        self.completes("destroy")
        assert self.settled() == self.before
        self._nothing_is_left_over()
        assert self.before.manifest in self._archived()
        assert self.node.run(f"ls -d {STATE}", check=False).returncode != 0

    def recovers_and_gives_back(self) -> None:
        """What has to hold after a fault that is over: the next ``up`` completes, and so does ``destroy``."""
        new = self.recovers(self.settled())
        self.gives_back(new, new)

    def process(self) -> str:
        """The API server that runs: its process id and when it started."""
        return self.node.run("ps -o pid=,lstart= -C kube-apiserver").stdout

    def _is_whole(self, found: Observed, new: Observed) -> None:
        """Each file is the old one or the new one; a quick restart's manifest may also be the one of its first half."""
        states = (self.before, new)
        found.is_one_of(*states, *((state.placed_first() for state in states) if self.is_quick else ()))

    def _nothing_is_left_over(self) -> None:
        """One API server runs, with what the manifest says; no redirection, no journal, no staged second manifest."""
        deadline = time.monotonic() + _FROM_ITS_END
        while len(processes := self._arguments()) != 1 and time.monotonic() < deadline:
            time.sleep(1)  # a canary that ends its requests
        assert len(processes) == 1, processes
        arguments = self.node.run(f"sed -n 's/^    - \\(--.*\\)$/\\1/p' {MANIFEST}").stdout.splitlines()
        assert sorted(processes[0][1:]) == sorted(arguments)
        static_pods = self.node.run("ls -A /etc/kubernetes/manifests").stdout.split()
        assert static_pods == [
            "etcd.yaml",
            "kube-apiserver.yaml",
            "kube-controller-manager.yaml",
            "kube-scheduler.yaml",
        ]
        assert self.node.run(f"find /etc/kubernetes -name '{_HALF_WRITTEN}'").stdout == ""
        assert self.node.run("iptables-save 2>/dev/null | grep REDIRECT", check=False).stdout == ""
        assert self.node.run(f"ls {JOURNAL} {JOURNAL}.new", check=False).stdout == ""

    def _arguments(self) -> list[list[str]]:
        return [text.splitlines() for text in self.node.run(_PROCESSES, check=False).stdout.strip().split("\n\n")]

    def _archived(self) -> list[str]:
        names = self.node.run(f"ls {ARCHIVE}/*/kube-apiserver.yaml", check=False).stdout.split()
        return [self.node.run(f"cat {name}").stdout for name in names]

    def _said(self) -> str:
        return self.node.run(
            f"ls -la {STATE} /etc/kubernetes/manifests; cat {JOURNAL} {STATE}/messages; tail -n 3 /var/log/kubelet.log;"
            f" tail -n 3 {LOG}",
            check=False,
        ).stdout
