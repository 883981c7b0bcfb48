"""What each installer gets says the same as the stack, and is what the installer takes."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.cli import main
from auditlog.installers.catalogue import INSTALLERS
from auditlog.installers.wanted import Rendered, Wanted, wanted
from auditlog.manifest.desired import POLICY_ANNOTATION, sha256
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.summary import summarize
from auditlog.policy.validate import policy_as_read
from auditlog.settings import LogSettings, PolicySettings, Settings, WebhookSettings
from lab.paths import REPOSITORY, Paths
from lab.tools import installer_types
from tests.unit.plan.nodes import settings

POLICY = SelectedPolicy(preset_text("standard"), "preset standard")
FLAGS = {
    "audit-policy-file": "/etc/kubernetes/audit-policy.yaml",
    "audit-log-path": "/var/log/kubernetes/audit/audit.log",
    "audit-log-maxage": "30",
    "audit-log-maxbackup": "10",
    "audit-log-maxsize": "100",
}


def stack(**changes: Any) -> Settings:
    found: Settings = dataclasses.replace(settings(), policy=PolicySettings("standard"))
    return dataclasses.replace(found, **changes)


def rendered(installer: str, policy: SelectedPolicy = POLICY, **changes: Any) -> Rendered:
    return INSTALLERS[installer](wanted(stack(**changes), policy))


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def names_and_values(extra: list[dict[str, str]]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in extra}


def test_kubeadm_gets_flags_mounts_policy_and_the_annotation() -> None:
    files = rendered("kubeadm").files
    cluster, init = documents(files["kubeadm.yaml"])
    assert names_and_values(cluster["apiServer"]["extraArgs"]) == FLAGS
    mounts = {each["hostPath"]: each.get("readOnly", False) for each in cluster["apiServer"]["extraVolumes"]}
    assert mounts == {"/etc/kubernetes/audit-policy.yaml": True, "/var/log/kubernetes/audit": False}
    (patch,) = documents(files[f"files{init['patches']['directory']}/kube-apiserver+strategic.yaml"])
    assert patch["metadata"]["annotations"] == {POLICY_ANNOTATION: sha256(POLICY.text)}
    assert files["files/etc/kubernetes/audit-policy.yaml"] == POLICY.text


def test_cluster_api_writes_the_same_files_on_each_machine() -> None:
    (document,) = documents(rendered("cluster-api").files["kubeadm-control-plane.yaml"])
    spec = document["spec"]["kubeadmConfigSpec"]
    assert names_and_values(spec["clusterConfiguration"]["apiServer"]["extraArgs"]) == FLAGS
    assert {f"files{each['path']}": each["content"] for each in spec["files"]} == {
        name: text for name, text in rendered("kubeadm").files.items() if name.startswith("files")
    }
    assert spec["initConfiguration"]["patches"] == spec["joinConfiguration"]["patches"]


def test_kind_mounts_the_files_beside_it() -> None:
    files = rendered("kind").files
    (document,) = documents(files["kind.yaml"])
    (node,) = document["nodes"]
    assert {each["hostPath"] for each in node["extraMounts"]} == files.keys() - {"kind.yaml"}
    (cluster,) = documents(node["kubeadmConfigPatches"][0])
    assert names_and_values(cluster["apiServer"]["extraArgs"]) == FLAGS


@pytest.mark.parametrize("preset", preset_names())
def test_kubesprays_rules_decide_the_same_as_the_policy(preset: str) -> None:
    text = preset_text(preset)
    (variables,) = documents(rendered("kubespray", SelectedPolicy(text, preset)).files["audit.yml"])
    rules = yaml.safe_load(variables["audit_policy_custom_rules"])
    made = yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules})
    assert not summarize(policy_as_read(text, preset), policy_as_read(made, "kubespray"))
    assert [variables[f"audit_log_{name}"] for name in ("path", "maxage", "maxbackups", "maxsize")] == [
        FLAGS["audit-log-path"],
        30,
        10,
        100,
    ]


def test_k3s_and_rke2_get_every_flag_and_rke2_its_mount() -> None:
    (k3s,) = documents(rendered("k3s").files["files/etc/rancher/k3s/config.yaml.d/90-audit.yaml"])
    assert dict(each.split("=", 1) for each in k3s["kube-apiserver-arg+"]) == FLAGS
    (rke2,) = documents(rendered("rke2").files["files/etc/rancher/rke2/config.yaml.d/90-audit.yaml"])
    flags = dict(each.split("=", 1) for each in rke2["kube-apiserver-arg+"])
    assert {**flags, "audit-policy-file": rke2["audit-policy-file"]} == FLAGS
    assert rke2["kube-apiserver-extra-mount+"] == ["/var/log/kubernetes/audit:/var/log/kubernetes/audit"]


def test_talos_keeps_the_policy_and_its_own_log() -> None:
    made = rendered("talos")
    (patch,) = documents(made.files["talos.yaml"])
    server = patch["cluster"]["apiServer"]
    assert policy_as_read(yaml.safe_dump(server["auditPolicy"]), "talos") == policy_as_read(POLICY.text, "standard")
    assert "audit-log-path" not in server["extraArgs"]
    assert server["extraArgs"]["audit-log-maxage"] == "30"
    assert any("Talos mounts no other folder" in each for each in made.lost)
    own = LogSettings("/var/log/audit/kube/kube-apiserver.log")
    assert rendered("talos", log=own).lost == ()


@pytest.mark.parametrize("installer", INSTALLERS)
def test_what_cannot_be_expressed_is_said_and_nothing_secret_is_written(installer: str) -> None:
    webhook = WebhookSettings("https://siem.example.com/audit", token="a-secret-token")
    made = rendered(installer, webhook=webhook)
    assert any(each.startswith("the webhook is left out") for each in made.lost)
    assert not any("audit-webhook" in text or "a-secret-token" in text for text in made.files.values())


@pytest.mark.parametrize("minor", ["1.36", "1.37"])
def test_kubeadm_itself_takes_what_it_gets(tmp_path: Path, minor: str) -> None:
    files = rendered("kubeadm").files
    join, *_ = documents(files["kubeadm-join.yaml"])
    token = {"apiServerEndpoint": "cp:6443", "token": "abcdef.0123456789abcdef", "unsafeSkipCAVerification": True}
    found = {"bootstrapToken": token}
    (tmp_path / "join.yaml").write_text(yaml.safe_dump({**join, "discovery": found}))
    # Without a version kubeadm asks the internet for one.
    init = files["kubeadm.yaml"].replace("apiServer:\n", f"kubernetesVersion: v{minor}.0\napiServer:\n", 1)
    (tmp_path / "init.yaml").write_text(init)
    kubeadm = Paths.of().kubernetes_bin(minor) / "kubeadm"
    for name in ("init", "join"):
        words = [str(kubeadm), "config", "validate", "--config", str(tmp_path / f"{name}.yaml")]
        run = subprocess.run(words, text=True, capture_output=True, check=False)
        assert (run.returncode, run.stdout) == (0, "ok\n"), run.stderr
        assert "unknown field" not in run.stderr


@pytest.mark.parametrize(("installer", "name"), [("cluster-api", "kubeadm-control-plane.yaml"), ("kind", "kind.yaml")])
def test_the_installers_own_types_take_it_and_nothing_else(tmp_path: Path, installer: str, name: str) -> None:
    file = tmp_path / name
    file.write_text(rendered(installer).files[name])
    words = [str(installer_types().path(Paths.of())), installer, str(file)]
    run = subprocess.run(words, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    file.write_text(file.read_text() + "another: key\n")
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1


def test_the_command_writes_files_and_ends_with_1_where_something_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert main(["render", "staging", "--for", "kubeadm", "--to", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/files/etc/kubernetes/audit-policy.yaml").read_text() == preset_text("standard")
    assert main(["render", "prod", "--for", "kubeadm"]) == 1
    said = capsys.readouterr()
    assert "# ----- kubeadm.yaml\n" in said.out
    assert said.err.startswith("lost: the webhook is left out")


def test_a_changed_policy_is_another_annotation() -> None:
    other = SelectedPolicy(preset_text("minimal"), "preset minimal")
    made: list[Wanted] = [wanted(stack(), policy) for policy in (POLICY, other)]
    assert made[0].annotations != made[1].annotations
