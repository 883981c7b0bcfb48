"""Annotations from files of the node: in force without a restart, out of the API's reach, and given back.

Another's AdmissionConfiguration is there before, with a file beside it. The load is that of four clients; each
ConfigMap that they create must carry the annotation, also while the way changes by which annotations get there.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditlog.manifest import kubeadm_config, manifest_edit
from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.desired import AuditConfiguration, Flag, HostMount
from lab.api import Lab, Node
from lab.errors import LabError
from lab.stack import PulumiStack
from tests.lab.clients import Record, four_clients
from tests.lab.test_first_stack import LOG, MANIFEST, cluster_configuration, eventually, hashes, process_ids

FOLDER = "/etc/kubernetes/audit-annotations"
FILE = f"{FOLDER}/audit-annotations.yaml"
THEIRS = "/etc/kubernetes/admission"
_CONFIGURATION = """\
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit  # theirs
  path: limits.yaml
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline, enforce-version: latest}
    exemptions: {namespaces: [kube-system]}
"""
_LIMITS = """\
apiVersion: eventratelimit.admission.k8s.io/v1alpha1
kind: Configuration
limits: [{type: Server, qps: 1000, burst: 1000}]
"""
_THEIRS = AuditConfiguration(
    (Flag(ADMISSION_FLAG, f"{THEIRS}/configuration.yaml"),),
    (HostMount("admission", THEIRS, read_only=True, path_type="Directory"),),
)


@pytest.fixture(scope="module", autouse=True)
def before(lab: Lab, node: Node) -> dict[str, str]:
    """Hashes of what is there before audit logging, another's AdmissionConfiguration among it."""
    node.run(f"mkdir -p {THEIRS}")
    for name, text in (("configuration", _CONFIGURATION), ("limits", _LIMITS)):
        node.run(f"cat >{THEIRS}/{name}.yaml <<'TEXT'\n{text}TEXT")
    config = kubeadm_config.edit(cluster_configuration(lab), _THEIRS)
    patch = json.dumps({"data": {"ClusterConfiguration": config}})
    lab.kubectl("-n", "kube-system", "patch", "configmap", "kubeadm-config", "--type=merge", "-p", patch)
    edited = manifest_edit.edit(node.run(f"cat {MANIFEST}").stdout, _THEIRS, None)
    old = process_ids(node)
    node.run(f"cat >/etc/kubernetes/new.yaml <<'TEXT'\n{edited}TEXT\nmv /etc/kubernetes/new.yaml {MANIFEST}")
    assert eventually(lambda: process_ids(node), lambda found: bool(found) and found != old)
    lab.wait_ready()
    return everything(node)


def everything(node: Node) -> dict[str, str]:
    files = {name: node.sha256(f"{THEIRS}/{name}.yaml") for name in ("configuration", "limits")}
    return {**hashes(node), **files, "there": node.run(f"ls -d {FOLDER} {ADMISSION_PATH} 2>&1 || true").stdout}


def own_entry(folder: Path, says: str) -> str:
    """An entry that annotates each ConfigMap that is created."""
    file = folder / "made.yaml"
    entry = {
        "about": "That it was made.",
        "requests": [{"group": "", "resources": ["configmaps"], "operations": ["CREATE"]}],
        "annotations": {"said": {"about": "What it says.", "value": f"'{says}'"}},
    }
    file.write_text(json.dumps(entry))
    return str(file)


def configure(lab: Lab, stack: PulumiStack, delivery: str, own: str, **more: object) -> None:
    settings = {"restart": "seamless", "rehearsal": True, "kubeconfigFile": str(lab.paths.kubeconfig), **more}
    stack.configure(lab.state, {**settings, "annotations": {"delivery": delivery, "files": [own]}})


def said(node: Node, record: Record) -> dict[str, set[str]]:
    """What the events of this client's creations were given, by audit ID."""
    found: dict[str, set[str]] = {}
    for line in node.run(f'cat {LOG.removesuffix(".log")}*.log | grep -F \'"verb":"create"\'').stdout.splitlines():
        event: dict[str, Any] = json.loads(line)
        if event["auditID"] in record.answers and event["stage"] == "ResponseComplete":
            given = event.get("annotations", {})
            made = {value for key, value in given.items() if "audit-annotations-made" in key and key.endswith("/said")}
            found[event["auditID"]] = made
    return found


def assert_each_is_annotated(node: Node, records: list[Record], allowed: set[str]) -> None:
    for record in records:
        assert record.refused == []
        assert record.failed_fresh == []
        if record.name.startswith("create"):
            events = said(node, record)
            assert set(events) == set(record.answers)
            assert [values for values in events.values() if len(values) != 1 or not values <= allowed] == []


def test_they_are_merged_with_what_is_there_and_change_without_a_restart(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own")
    configure(lab, stack, "files", own_entry(folder, "first"))
    preview = stack.run("preview", "--diff").stdout
    assert "+- name: ValidatingAdmissionPolicy" in preview
    assert f"+++ {FILE}" in preview
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    merged = node.run(f"cat {ADMISSION_PATH}").stdout
    assert "name: EventRateLimit  # theirs" in merged
    assert f"path: {THEIRS}/limits.yaml" in merged
    refused = lab.kubectl("run", "root", "--image=x", "--overrides", _HOST_NETWORK, check=False)
    assert "created" not in refused, "PodSecurity is still configured"

    running = process_ids(node)
    configure(lab, stack, "files", own_entry(folder, "second"))
    preview = stack.run("preview", "--diff").stdout
    assert "no restart: the API server reads the admission policies again by itself" in preview
    assert "restart: seamless" not in preview
    with four_clients(lab.paths.kubeconfig) as records:
        time.sleep(3)
        stack.run("up", "--yes", "--skip-preview")
        time.sleep(3)
    assert process_ids(node) == running
    assert_each_is_annotated(node, records, {"first", "second"})
    (created,) = [record for record in records if record.name == "create fresh"]
    events = said(node, created)
    last = max(created.answers, key=lambda each: created.answers[each])
    assert events[last] == {"second"}


_HOST_NETWORK = json.dumps({"spec": {"hostNetwork": True}})


def test_nobody_takes_them_away_through_the_api(lab: Lab, node: Node) -> None:
    assert "audit-annotations" not in lab.kubectl(
        "get", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-o", "name", check=False
    )
    name = "audit-annotations-made.static.k8s.io"
    assert lab.kubectl("delete", "validatingadmissionpolicy", name, check=False) == ""
    lab.kubectl("-n", "default", "create", "configmap", "after-deletion")
    lines = node.run(f'grep -F \'"name":"after-deletion"\' {LOG}').stdout.splitlines()
    assert json.loads(lines[-1])["annotations"][f"{name}/said"] == "second"


@pytest.mark.exhaustive
def test_an_edited_file_is_seen_and_written_again_without_a_restart(node: Node, stack: PulumiStack) -> None:
    running = process_ids(node)
    node.run(f"sed -i s/second/forged/ {FILE}")
    preview = stack.run("preview", "--diff").stdout
    assert f"the file of admission policies {FILE} was edited since this stack wrote it" in preview
    stack.run("up", "--yes", "--skip-preview")
    assert "forged" not in node.run(f"cat {FILE}").stdout
    assert process_ids(node) == running


@pytest.mark.exhaustive
def test_a_broken_file_never_costs_an_api_server(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Somebody else's file in the folder: the preview names what it can read, and the rehearsal finds the rest."""
    running, there = process_ids(node), node.sha256(FILE)
    configure(lab, stack, "files", own_entry(tmp_path_factory.mktemp("own"), "third"))
    node.run(f"echo 'kind: Nonsense' >{FOLDER}/theirs.yaml")
    with pytest.raises(LabError, match=r"theirs\.yaml has an object of kind Nonsense"):
        stack.run("preview")
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    spec = {"validations": [{"expression": "no such thing"}]}
    theirs = json.dumps({**head, "metadata": {"name": "theirs.static.k8s.io"}, "spec": spec})
    node.run(f"echo '{theirs}' >{FOLDER}/theirs.yaml")
    with pytest.raises(LabError) as error:
        stack.run("up", "--yes", "--skip-preview")
    assert "the rehearsal of the new manifest and policy failed" in str(error.value)
    assert "nothing was changed" in str(error.value)
    assert "theirs.yaml" in str(error.value), "the API server's own words"
    assert (process_ids(node), node.sha256(FILE)) == (running, there)
    configure(lab, stack, "files", own_entry(tmp_path_factory.mktemp("own"), "third"), rehearsal=False)
    with pytest.raises(LabError) as error:
        stack.run("up", "--yes", "--skip-preview")
    assert f"the API server refuses {FILE}" in " ".join(str(error.value).split())
    assert (process_ids(node), node.sha256(FILE)) == (running, there)
    node.run(f"rm {FOLDER}/theirs.yaml")


@pytest.mark.exhaustive
def test_no_write_goes_without_annotations_while_the_delivery_changes(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = own_entry(tmp_path_factory.mktemp("own"), "fourth")
    configure(lab, stack, "files", own)
    stack.run("up", "--yes", "--skip-preview")
    for delivery in ("api", "files"):
        configure(lab, stack, delivery, own)
        with four_clients(lab.paths.kubeconfig) as records:
            time.sleep(2)
            stack.run("up", "--yes", "--skip-preview")
            time.sleep(5)
        assert_each_is_annotated(node, records, {"fourth"})
        stack.run("preview", "--expect-no-changes")


_NEVER = json.dumps({"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}})
_EDITS = f"""
export KUBECONFIG=/etc/kubernetes/admin.conf
while :; do
    kubectl patch validatingadmissionpolicy audit-annotations-made --type=merge -p '{_NEVER}'
    kubectl delete validatingadmissionpolicybinding audit-annotations-secret
    [ ! -f {FILE} ] || echo '# theirs' >>{FILE}
    sleep 1
done >/dev/null 2>&1
"""


@contextlib.contextmanager
def edited_all_the_time(node: Node) -> Iterator[None]:
    """Somebody changes a policy and removes a binding in the cluster, and adds to the file on the node."""
    node.run(f"cat >/tmp/edits.sh <<'TEXT'\n{_EDITS}TEXT")
    node.run("setsid sh /tmp/edits.sh >/dev/null 2>&1 & echo $! >/tmp/edits.pid")
    try:
        yield
    finally:
        node.run("kill -- -$(cat /tmp/edits.pid); rm /tmp/edits.sh /tmp/edits.pid")


@pytest.mark.exhaustive
def test_while_somebody_edits_them_a_change_of_the_delivery_is_made_or_refused_in_one_sentence(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = own_entry(tmp_path_factory.mktemp("own"), "fifth")
    for delivery in ("api", "files", "api", "files"):
        configure(lab, stack, delivery, own)
        with edited_all_the_time(node):
            done = stack.run("up", "--yes", "--skip-preview", check=False)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 0 or "changed after it was read for this plan; run again" in said, said
        assert "Traceback" not in said
        assert "conflict" not in said
        stack.run("up", "--yes", "--skip-preview")
        stack.run("preview", "--expect-no-changes")
        # A policy in the cluster works some seconds after it was made.
        found = eventually(lambda: said_of_a_new_one(lab, node), bool, 60)
        assert found == ["fifth"]


def said_of_a_new_one(lab: Lab, node: Node) -> list[str]:
    """What the event says of a ConfigMap that is made now."""
    name = f"new-{time.time_ns()}"
    lab.kubectl("-n", "default", "create", "configmap", name)
    (line,) = node.run(f'grep -F \'"name":"{name}"\' {LOG} | grep ResponseComplete').stdout.splitlines()
    given = json.loads(line).get("annotations", {})
    return [value for key, value in given.items() if key.endswith("/said")]


_WRITES = """
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl create namespace going
(sleep 8; kubectl delete namespace going) &
n=0
while kubectl get namespace going -o name; do
    n=$((n + 1))
    kubectl -n going create configmap "c-$n" --from-literal=a=0
    kubectl -n going patch configmap "c-$n" -p '{"data":{"a":"1"}}'
    kubectl -n going delete configmap "c-$n" --wait=false
done
wait
"""


@pytest.mark.exhaustive
def test_in_a_namespace_that_goes_meanwhile_each_write_is_annotated_or_refused(node: Node) -> None:
    node.run(f"({_WRITES}) >/dev/null 2>&1")
    lines = node.run(f'grep -F \'"namespace":"going"\' {LOG} | grep ResponseComplete').stdout.splitlines()
    events = [event for event in map(json.loads, lines) if event["objectRef"]["resource"] == "configmaps"]
    codes = {event["responseStatus"]["code"] for event in events}
    assert codes <= {200, 201, 403, 404, 409}
    changes = [
        event for event in events if event["verb"] in ("patch", "delete") and event["responseStatus"]["code"] == 200
    ]
    assert changes
    bare = [event for event in changes if not any(key.endswith("/complete") for key in event.get("annotations", {}))]
    assert bare == []


def test_removal_gives_everything_back(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert everything(node) == before
