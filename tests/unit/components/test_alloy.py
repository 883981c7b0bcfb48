"""Alloy's wiring: what there is in each mode, what the pod may do, what is secret, and in which order it comes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.program import PROJECT, Program, run_program, stack_config
from tests.unit.plan.nodes import untouched

LOKI = {"url": "https://loki.example.com", "username": "ship", "password": "the password"}
STORAGE = "/var/lib/kubernetes-audit-alloy"


def run(monkeypatch: pytest.MonkeyPatch, **keys: Any) -> Program:
    config = {**stack_config(**keys), f"{PROJECT}:kubeconfig": "apiVersion: v1\nkind: Config\n"}
    return run_program(monkeypatch, config, {"cp1": untouched()})


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    return run(monkeypatch, loki=LOKI)


def pod(program: Program) -> dict[str, Any]:
    template: dict[str, Any] = program.resources["alloy-daemon-set"].inputs["spec"]["template"]
    return template


def test_off_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki=LOKI, alloy={"mode": "off"})
    assert not any(name.startswith("alloy") for name in program.resources)
    assert "alloy" not in program.outputs


def test_a_daemon_set_comes_with_all_that_it_needs_and_after_the_nodes(program: Program) -> None:
    assert {resource.name for resource in program.resources.values() if resource.parent == "alloy"} == {
        "alloy-namespace",
        "alloy-configuration",
        "alloy-credentials",
        "alloy-account",
        "alloy-daemon-set",
        "cp1-alloy-storage",
    }
    needed = program.resources["alloy-daemon-set"].depends_on
    assert needed >= {"alloy-configuration", "alloy-credentials", "alloy-account", "cp1-alloy-storage"}
    assert "cluster-configuration" in needed
    assert program.outputs["alloy"] == {"mode": "daemonset", "namespace": "kubernetes-audit"}


def test_the_pod_reads_logs_writes_its_storage_and_nothing_else(program: Program) -> None:
    spec = pod(program)["spec"]
    (container,) = spec["containers"]
    mounts = {mount["name"]: (mount["mountPath"], mount.get("readOnly", False)) for mount in container["volumeMounts"]}
    assert mounts == {
        "configuration": ("/etc/alloy", True),
        "logs": ("/var/log/kubernetes/audit", True),
        "storage": (STORAGE, False),
        "credentials": ("/etc/alloy-loki", True),
    }
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False
    assert program.resources["alloy-account"].inputs["automountServiceAccountToken"] is False
    assert spec["hostNetwork"] is False


def test_a_script_of_the_config_map_becomes_alloy(program: Program) -> None:
    (container,) = pod(program)["spec"]["containers"]
    assert container["command"] == ["/bin/bash", "/etc/alloy/run.sh", STORAGE, "15"]
    assert container["args"][:3] == ["alloy", "run", "/etc/alloy/config.alloy"]
    assert set(program.resources["alloy-configuration"].inputs["data"]) == {"config.alloy", "run.sh"}


def test_alloy_listens_on_the_pods_address_alone_and_hands_out_no_insides(program: Program) -> None:
    (container,) = pod(program)["spec"]["containers"]
    assert "--server.http.listen-addr=[$(POD_IP)]:12345" in container["args"]
    assert {"--server.http.disable-support-bundle", "--server.http.enable-pprof=false"} <= set(container["args"])
    address = next(variable for variable in container["env"] if variable["name"] == "POD_IP")
    assert address["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


def test_a_network_policy_lets_in_the_named_namespace_alone(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    assert "alloy-network-policy" not in program.resources
    policy = run(monkeypatch, loki=LOKI, alloy={"scrapedFrom": "monitoring"}).resources["alloy-network-policy"].inputs
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert rule["ports"] == [{"port": 12345, "protocol": "TCP"}]
    assert policy["spec"]["podSelector"]["matchLabels"] == pod(program)["metadata"]["labels"]


def test_the_pod_runs_on_control_plane_nodes_in_spite_of_their_taint(program: Program) -> None:
    spec = pod(program)["spec"]
    assert spec["nodeSelector"] == {"node-role.kubernetes.io/control-plane": ""}
    assert {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"} in spec["tolerations"]
    namespace = program.resources["alloy-namespace"]
    assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert namespace.deletion_timeout == "2m"


def test_a_changed_configuration_changes_the_pod(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    other = run(monkeypatch, loki={**LOKI, "tenant": "another"})
    first, second = (pod(each)["metadata"]["annotations"]["checksum/config"] for each in (program, other))
    assert first != second


def test_the_password_is_secret_and_in_no_other_resource(program: Program) -> None:
    credentials = program.resources["alloy-credentials"]
    assert credentials.inputs["stringData"] == {"password": "the password"}
    assert "stringData" in credentials.secrets
    others = [resource.inputs for name, resource in program.resources.items() if name != "alloy-credentials"]
    assert "the password" not in str(others)


def test_without_credentials_there_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki={"url": "http://loki:3100"})
    assert "alloy-credentials" not in program.resources
    assert [volume["name"] for volume in pod(program)["spec"]["volumes"]] == ["configuration", "logs", "storage"]


def test_removal_takes_the_storage_from_the_nodes(program: Program) -> None:
    storage = program.resources["cp1-alloy-storage"].inputs
    assert storage["delete"] == f"sudo -n rm -rf {STORAGE}"
    assert storage["create"] == storage["update"] == f"sudo -n install -d -m 0700 {STORAGE}"


def test_a_snippet_is_a_config_map_and_an_output_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, alloy={"mode": "snippet", "forwardTo": "loki.write.default.receiver"})
    declared = {name for name, resource in program.resources.items() if resource.parent == "alloy"}
    assert declared == {"alloy-namespace", "alloy-configuration"}
    snippet = program.outputs["alloy"]["snippet"]
    assert "forward_to = [loki.write.default.receiver]" in snippet
    assert program.resources["alloy-configuration"].inputs["data"] == {"config.alloy": snippet}


def test_the_cluster_cannot_be_reached_without_a_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match=r"kubeconfig: is missing, and alloy\.mode is 'daemonset'"):
        run_program(monkeypatch, stack_config(loki=LOKI), {"cp1": untouched()})


def test_a_password_in_clear_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match=r"loki\.password: is kept in plain text"):
        run_program(monkeypatch, stack_config(loki=LOKI), {"cp1": untouched()}, in_clear=frozenset({"loki"}))


def test_where_audit_logging_is_switched_off_nothing_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki=LOKI, enabled=False)
    assert "alloy" not in program.resources
