"""Somebody else writes the manifest while a change is under way: what they wrote stays, and nothing is lost.

Each case is a moment of a change (``up``, its way back, ``destroy``) and a way to write: by a rename, as editors and
kubeadm do, or into the file itself. ``tests/unit/node/test_other_writers.py`` has every moment on files alone. ``make
test-faults`` has every moment on a real kubelet, ``make test`` the way back and a real kubeadm in the middle of ``up``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.faults.experiment import STATE, Experiment, Observed, write_manifest
from tests.lab.faults.halt import halted
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import (
    AFTER_THE_MANIFEST,
    BEFORE_THE_MANIFEST,
    BETWEEN_TWO_MANIFESTS,
    OLD_ONE_KILLED,
    Moment,
    after,
    step_names,
)
from tests.lab.faults.test_api_server_does_not_come_up import PUTS_IN_PLACE, UNKNOWN_FLAG
from tests.lab.faults.test_interruptions import QUICK
from tests.lab.test_first_stack import ARCHIVE, MANIFEST

EDIT = "    - --profiling=false\n"
NOT_CHECKED = "SystemVerification,CoreDNSUnsupportedPlugins,CoreDNSMigration"
SAID = ("changed by somebody else while this change was made", "somebody else wrote into")
MOMENTS = [*(after(step) for step in step_names()), BEFORE_THE_MANIFEST, AFTER_THE_MANIFEST]
WAYS = ("rename", "in place")


def write(experiment: Experiment, way: str) -> str:
    """Somebody turns profiling off in the file as it is now; gives the text they wrote."""
    command = "    - kube-apiserver\n"
    text = experiment.node.run(f"cat {MANIFEST}").stdout.replace(command, command + EDIT, 1)
    write_text(experiment, text, way)
    return text


def write_text(experiment: Experiment, text: str, way: str) -> None:
    """Somebody makes this the manifest."""
    if way == "rename":
        write_manifest(experiment.node, text)
    else:
        experiment.node.run(f"cat >{MANIFEST} <<'THE-END'\n{text}THE-END\n")


@pytest.fixture
def edited(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    with Experiment.begin(running_lab, "faults-writer", baseline, {"healthTimeoutSeconds": 90}) as experiment:
        yield experiment


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_during_up(edited: Experiment, moment: Moment, way: str) -> None:
    theirs = while_halted(edited, "up", moment, way)
    finishes(edited, theirs)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_during_destroy(edited: Experiment, moment: Moment, way: str) -> None:
    edited.completes("up")
    theirs = while_halted(edited, "destroy", moment, way)
    finishes(edited, theirs)


@pytest.mark.parametrize("way", [pytest.param("rename", marks=pytest.mark.exhaustive), "in place"])
def test_on_the_way_back(edited: Experiment, way: str) -> None:
    """The new manifest holds a flag that no API server has; somebody writes when the old one is put back."""
    putting_back = after("put-back")
    with halted(edited.node, PUTS_IN_PLACE.rename, PUTS_IN_PLACE.side) as halt, operation(edited.stack, "up") as up:
        halt.wait(up)
        edited.node.run(UNKNOWN_FLAG.script)
        halt.release_until(putting_back.rename, putting_back.side)
        halt.wait(up)
        text = edited.node.run(f"cat {MANIFEST}").stdout.replace("    - --no-such-flag=1\n", EDIT, 1)
        write_text(edited, text, way)
        halt.release()
        printed = up.fails()
    assert f"{MANIFEST} stays as somebody else wrote it meanwhile" in printed
    edited.settled()
    assert edited.node.run(f"cat {MANIFEST}").stdout == text
    finishes(edited, text)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", [BETWEEN_TWO_MANIFESTS, OLD_ONE_KILLED], ids=str)
def test_during_a_quick_restart(running_lab: Lab, baseline: Observed, moment: Moment) -> None:
    with Experiment.begin(running_lab, "faults-quick-writer", baseline, QUICK) as quick:
        theirs = while_halted(quick, "up", moment, "rename")
        finishes(quick, theirs)


@pytest.mark.parametrize("step", [pytest.param("rehearse", marks=pytest.mark.exhaustive), "old-gone"])
def test_a_real_kubeadm_upgrade_in_the_middle(edited: Experiment, step: str) -> None:
    """kubeadm writes the manifest anew from kubeadm-config, which says nothing of audit logging yet."""
    node, version = edited.node, edited.lab.state.version
    options = f"--yes --force --certificate-renewal=false --ignore-preflight-errors={NOT_CHECKED}"
    upgrade = f"kubeadm upgrade apply {version} {options}; status=$?; rm -rf /etc/kubernetes/tmp; exit $status"
    moment = after(step)
    with halted(node, moment.rename, moment.side) as halt, operation(edited.stack, "up") as up:
        halt.wait(up)
        # kubeadm asks an API server first.
        node.run(
            "for try in $(seq 240); do kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz && break;"
            " sleep 1; done"
        )
        node.run(upgrade)
        text = node.run(f"cat {MANIFEST}").stdout
        halt.release()
        printed = up.fails()
    assert SAID[0] in printed
    edited.settled()
    assert node.run(f"cat {MANIFEST}").stdout == text
    finishes(edited, text, kept="--secure-port=6443")


def while_halted(experiment: Experiment, verb: str, moment: Moment, way: str) -> str:
    """Runs ``pulumi VERB`` with the edit at this moment; it fails and says why. Gives the text that they wrote."""
    with halted(experiment.node, moment.rename, moment.side) as halt, operation(experiment.stack, verb) as running:
        halt.wait(running)
        theirs = write(experiment, way)
        halt.release()
        printed = running.fails()
    assert any(words in printed for words in SAID), printed
    experiment.settled()
    assert experiment.node.run(f"cat {MANIFEST}").stdout == theirs
    archived = experiment.node.run(f"cat {ARCHIVE}/*/changed-by-others-*").stdout
    assert EDIT in archived
    return theirs


def finishes(experiment: Experiment, theirs: str, kept: str = EDIT.strip().removeprefix("- ")) -> None:
    """The next ``up`` puts audit logging around their text, and ``destroy`` gives back what they wrote less that."""
    assert kept in theirs
    experiment.completes("up")
    experiment.stack.run("preview", "--expect-no-changes")
    now = experiment.node.run(f"cat {MANIFEST}").stdout
    assert kept in now
    assert "--audit-log-path=" in now
    experiment.completes("destroy")
    experiment.settled()
    left = experiment.node.run(f"cat {MANIFEST}").stdout
    assert kept in left
    assert "audit" not in left
    assert experiment.node.run(f"ls -d {STATE} /etc/kubernetes/audit-policy.yaml", check=False).stdout == ""
