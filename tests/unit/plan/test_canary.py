"""The second API server that is made from the manifest: what differs, and the sed script that makes it on the node."""

from __future__ import annotations

import pytest
import yaml

from auditlog.manifest import manifest
from auditlog.manifest.desired import sha256
from auditlog.plan.canary import CanaryError, canary, canary_log
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.manifest.test_line_edits import sed
from tests.unit.plan.nodes import applied

STAGED = {"audit-policy-file": "/etc/kubernetes/audit-logging/staged/audit-policy.yaml"}


def audited() -> str:
    facts = applied()
    assert facts.manifest is not None
    return facts.manifest.text


def made(text: str, *, loopback: bool = True) -> str:
    """The canary's manifest as the node makes it."""
    planned = canary(text, STAGED, loopback=loopback)
    result = sed(planned.edits, text if text.endswith("\n") else text + "\n")
    assert sha256(result) == planned.sha256
    return result


def test_nothing_is_left_that_two_api_servers_cannot_share() -> None:
    text = audited().replace(
        "    imagePullPolicy: IfNotPresent\n",
        "    imagePullPolicy: IfNotPresent\n    ports:\n    - containerPort: 6443\n      hostPort: 6443\n"
        '    resources:\n      requests: {cpu: 250m}\n    startupProbe: {exec: {command: ["true"]}}\n',
    )
    pod = yaml.safe_load(made(text))
    (container,) = pod["spec"]["containers"]
    assert (
        pod["metadata"]["name"]
        == container["name"]
        == pod["metadata"]["labels"]["component"]
        == "kube-apiserver-canary"
    )
    assert not {"ports", "livenessProbe", "readinessProbe", "startupProbe", "resources"} & container.keys()
    arguments = manifest.flag_values(container["command"])
    assert arguments["secure-port"] == "16443"
    assert arguments["endpoint-reconciler-type"] == "none"
    assert arguments["audit-log-path"] == "/var/log/kubernetes/audit/audit-canary.log"
    assert arguments["bind-address"] == "127.0.0.1"


def test_everything_else_is_as_in_the_manifest() -> None:
    real, pod = yaml.safe_load(audited()), yaml.safe_load(made(audited(), loopback=False))
    changed = {"secure-port", "endpoint-reconciler-type", "audit-log-path"}
    before, after = (
        {
            name: value
            for name, value in manifest.flag_values(each["spec"]["containers"][0]["command"]).items()
            if name not in changed
        }
        for each in (real, pod)
    )
    assert before == after
    assert pod["spec"]["containers"][0]["volumeMounts"] == real["spec"]["containers"][0]["volumeMounts"]
    assert pod["spec"]["hostNetwork"] is True
    assert pod["metadata"]["labels"]["tier"] == "control-plane"


def test_it_reads_the_policy_that_waits_and_not_the_one_in_use() -> None:
    volumes = {
        volume["name"]: volume["hostPath"]["path"] for volume in yaml.safe_load(made(audited()))["spec"]["volumes"]
    }
    assert volumes["audit-policy"] == STAGED["audit-policy-file"]
    assert volumes["audit-logs"] == "/var/log/kubernetes/audit"


def test_a_policy_that_is_seen_through_a_folder_gets_a_mount_of_its_own() -> None:
    text = (
        audited()
        .replace("path: /etc/kubernetes/audit-policy.yaml", "path: /etc/kubernetes/policies")
        .replace("mountPath: /etc/kubernetes/audit-policy.yaml", "mountPath: /policies")
        .replace("--audit-policy-file=/etc/kubernetes/audit-policy.yaml", "--audit-policy-file=/policies/audit.yaml")
    )
    pod = yaml.safe_load(made(text))
    (container,) = pod["spec"]["containers"]
    path = STAGED["audit-policy-file"]
    assert manifest.flag_value(container["command"], "audit-policy-file") == path
    name = next(mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == path)
    assert {"name": name, "hostPath": {"path": path, "type": "File"}} in pod["spec"]["volumes"]


def test_a_manifest_without_audit_logging_needs_no_policy_and_has_no_log() -> None:
    planned = canary(MANIFEST, STAGED, loopback=False)
    assert planned.log is None
    assert "audit" not in planned.edits


def test_the_edits_are_few_lines_and_not_a_second_manifest() -> None:
    edits = canary(audited(), STAGED, loopback=True).edits
    assert len(edits.splitlines()) < 20
    assert "image" not in edits


def test_a_manifest_without_a_final_line_break() -> None:
    assert made(audited().rstrip("\n")) == made(audited())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            audited().replace("  hostNetwork", "  - name: kms\n    image: kms\n  hostNetwork"),
            r"other containers \(kms\)",
        ),
        (
            audited().replace(
                "spec:\n", "spec:\n  initContainers:\n  - name: kms\n    image: kms\n    restartPolicy: Always\n", 1
            ),
            r"other containers \(kms\)",
        ),
        (
            audited().replace("    - --secure-port=6443\n", "    - --secure-port=1\n    - --secure-port=2\n"),
            "secure-port 2 times",
        ),
        (MANIFEST.replace("    livenessProbe:", "    livenessProbe: &probe"), None),
    ],
)
def test_a_manifest_of_which_none_can_be_made_is_refused_with_the_reason(text: str, message: str | None) -> None:
    if message is None:
        assert yaml.safe_load(made(text))["metadata"]["name"] == "kube-apiserver-canary"
        return
    with pytest.raises(CanaryError, match=message):
        canary(text, STAGED, loopback=True)


@pytest.mark.parametrize(
    ("log", "beside"),
    [
        ("/var/log/audit/audit.log", "/var/log/audit/audit-canary.log"),
        ("/var/log/kube-audit", "/var/log/kube-audit-canary"),
        ("-", None),
        ("", None),
        (None, None),
    ],
)
def test_the_canary_writes_beside_the_real_log(log: str | None, beside: str | None) -> None:
    assert canary_log(log) == beside
