"""The life of a stack on every Kubernetes minor that the lab has. The tests are its steps, in this order, on each.

Run by ``make test-versions`` and not by ``make test``: it builds the older Kubernetes. What the minors do not have in
common is printed as a table in the end; ``-k 1.30`` runs one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pytest
import yaml

from auditlog.manifest import kubeadm_config, manifest
from auditlog.manifest.desired import sha256
from auditlog.nodes.facts import parse_facts
from auditlog.nodes.flagz import Witness, witness
from auditlog.nodes.node_scripts import bundle, facts_command
from auditlog.policy.presets import preset_text
from lab import node as lab_node
from lab.api import Lab, Node
from lab.kubeadm import OIDC_FLAGS
from lab.stack import PulumiStack
from lab.tools import KUBERNETES_MINORS
from tests.lab.faults.experiment import Experiment, Observed
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import WORKER_KILLED
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import after
from tests.lab.own_lab import OwnLab
from tests.lab.test_drift import await_restart, check_told_and_repaired, regenerate_manifest, write_kubeadm_config
from tests.lab.test_first_stack import FLAGS, LOG, MANIFEST, POLICY, cluster_configuration, hashes, process_arguments

# The first test of each minor makes the lab, which on a busy machine alone takes minutes.
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(2400)]

Seen = dict[str, dict[str, str]]
FLAGZ_SINCE = 36


@pytest.fixture(scope="session")
def everything_seen() -> Iterator[Seen]:
    """What was seen on each minor, by the minor and what it is about."""
    seen: Seen = {}
    yield seen
    print("\n" + "\n".join(table(seen)))


def table(seen: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A row for each thing that differs between the minors, and one line that names what is the same on all."""
    rows = {name: [each.get(name, "not run") for each in seen.values()] for each in seen.values() for name in each}
    differing = [["", *seen], *([name, *row] for name, row in rows.items() if len(set(row)) > 1)]
    widths = [max(map(len, column)) for column in zip(*differing, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in differing]
    same = [f"{name}: {row[0]}" for name, row in rows.items() if len(set(row)) == 1]
    return [*lines, f"the same on all: {'; '.join(same) or 'nothing'}"]


@pytest.fixture(scope="module", params=KUBERNETES_MINORS)
def minor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lab(minor: str) -> Iterator[Lab]:
    own = OwnLab(f"kubernetes-{minor}")
    own.command("down")  # what a run that was killed may have left
    own.up("--kubernetes", minor)
    yield Lab.load(own.paths)
    own.command("down")


@pytest.fixture(scope="module")
def seen(minor: str, everything_seen: Seen) -> dict[str, str]:
    return everything_seen.setdefault(minor, {})


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    """Hashes of what audit logging touches, before the first ``up``."""
    return hashes(node)


@pytest.fixture(scope="module")
def kubeadms_own(lab: Lab) -> str:
    """ClusterConfiguration as kubeadm wrote it."""
    return cluster_configuration(lab)


@pytest.mark.usefixtures("before", "kubeadms_own")
def test_the_first_stack(lab: Lab, node: Node, stack: PulumiStack, seen: dict[str, str]) -> None:
    stack.configure(lab.state, {"restart": "seamless", "rehearsal": True})
    preview = stack.run("preview", "--diff").stdout
    for name, value in FLAGS.items():
        assert f"\n+    - --{name}={value}\n" in preview
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    running = process_arguments(node)
    recorded = kubeadm_config.extra_args(cluster_configuration(lab))
    assert running == manifest.arguments(node.run(f"cat {MANIFEST}").stdout)
    for name, value in {**FLAGS, **OIDC_FLAGS}.items():
        assert manifest.flag_value(running, name) == recorded[name] == value
    stack.run("preview", "--expect-no-changes")
    document = yaml.safe_load(cluster_configuration(lab))
    seen["kubeadm-config"] = document["apiVersion"].partition("/")[2]
    seen["extraArgs there"] = "a list" if isinstance(document["apiServer"]["extraArgs"], list) else "a mapping"
    seen["API away, seamless"] = f"{json.loads(re.findall(r'result ({.*})', printed)[-1])['outageSeconds']} s"
    seen["API server's flags"] = str(len(running) - 1)


def test_the_log_has_the_persons_deletion_and_what_events_say(lab: Lab, node: Node, seen: dict[str, str]) -> None:
    lab.kubectl("create", "configmap", "who-was-it", as_user="alice")
    lab.kubectl("delete", "configmap", "who-was-it", as_user="alice")
    events = [json.loads(line) for line in node.run(f"grep who-was-it {LOG}").stdout.splitlines()]
    (deletion,) = [event for event in events if event["verb"] == "delete"]
    assert deletion["user"]["username"] == "alice@example.com"
    extra = sorted(name.rpartition("/")[2] for name in deletion["user"].get("extra", {}))
    seen["user.extra of a certificate"] = ", ".join(extra) or "nothing"
    seen["fields of an event"] = str(len(deletion))


def test_what_the_api_server_says_of_its_flags(lab: Lab, node: Node, seen: dict[str, str]) -> None:
    answer = lab_node.execute(node.state, facts_command("root", None, flagz=True).split(), stdin=bundle()).stdout
    facts = parse_facts(answer)
    assert facts.manifest is not None
    found = witness(facts, manifest.flag_values(manifest.arguments(facts.manifest.text)))
    seen["/flagz"] = found.value
    is_told = int(lab.state.kubernetes.partition(".")[2]) >= FLAGZ_SINCE
    assert found is (Witness.AGREES if is_told else Witness.UNKNOWN)


def test_a_changed_policy(lab: Lab, node: Node, stack: PulumiStack) -> None:
    stack.configure(lab.state, {"policy": {"preset": "standard"}})
    assert "Metadata from now on (was None" in stack.run("preview", "--diff").stdout
    stack.run("up", "--yes", "--skip-preview")
    assert node.sha256(POLICY) == sha256(preset_text("standard"))
    lab.kubectl("get", "secret", "read-me", check=False)
    assert '"verb":"get"' in node.run(f"grep read-me {LOG}").stdout, "low-write drops reads, standard records them"
    stack.run("preview", "--expect-no-changes")


def test_everything_lost_to_this_minors_kubeadm(lab: Lab, node: Node, stack: PulumiStack, kubeadms_own: str) -> None:
    audited = process_arguments(node)
    write_kubeadm_config(lab, kubeadms_own)
    regenerate_manifest(lab, node)
    await_restart(lab, node)
    assert not any(argument.startswith("--audit-") for argument in process_arguments(node))
    check_told_and_repaired(
        stack,
        "cp1: the manifest was replaced by one without audit logging since this stack wrote it",
        "lab: kubeadm-config lacks audit-policy-file, audit-log-path, ",
    )
    assert set(process_arguments(node)) == set(audited)


def test_a_worker_that_is_killed_in_the_middle_of_a_change(lab: Lab, node: Node, stack: PulumiStack) -> None:
    good = Observed.of(node)
    experiment = Experiment(lab, node, stack, good, is_quick=True)
    stack.configure(lab.state, {"policy": {"preset": "minimal"}})
    moment = after("swap")
    with halted(node, moment.rename, moment.side) as halt, operation(stack, "up") as running:
        halt.wait(running)
        WORKER_KILLED.happens(experiment, halt, running)
        left = experiment.settled()
    assert (left.manifest, left.policy) == (good.manifest, good.policy), "the guard puts back what was there"
    stack.run("up", "--yes", "--skip-preview")
    assert node.sha256(POLICY) == sha256(preset_text("minimal"))
    stack.run("preview", "--expect-no-changes")


def test_removal_gives_back_every_byte(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
    assert "audit" not in " ".join(process_arguments(node))
    assert node.run(f"ls -d {POLICY} /etc/kubernetes/audit-logging || true").stdout == ""
