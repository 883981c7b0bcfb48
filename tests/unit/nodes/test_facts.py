"""What node/facts.sh prints, read."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from auditlog.manifest.desired import sha256
from auditlog.nodes.answer import FactsError
from auditlog.nodes.fact_types import (
    KubeadmConfig,
    PolicyFile,
    PolicyFolder,
    Process,
    RemoteFile,
    Role,
    StrayManifest,
    Written,
    apiserver_pod,
)
from auditlog.nodes.facts import parse_facts
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.nodes.facts_output import encoded, facts_output
from tests.unit.plan.nodes import applied


def output(*changed: str) -> str:
    """A whole answer; each of ``changed`` takes the place of the line that starts with the same two words."""
    lines = {
        "hostname": "hostname cp1",
        "manifest": f"file manifest 1700000001 1700000000 600 {encoded(MANIFEST)}",
        "policy": "file policy absent",
        "before-manifest": "file before-manifest absent",
        "before-policy": "file before-policy absent",
        "before-kubeadm-config": "file before-kubeadm-config absent",
        "owner": "file owner absent",
        "scripts": "scripts absent",
        "staged": f"staged-policy {'a' * 64}",
        "log": "log-free-bytes 5000000000",
    }
    lines |= {line.split(" ")[1] if line.startswith("file ") else line: line for line in changed}
    return "\n".join(["format 1", *lines.values(), "end", ""])


def test_an_untouched_node() -> None:
    facts = parse_facts(output())
    assert facts.hostname == "cp1"
    assert facts.manifest == RemoteFile(MANIFEST, changed=1700000001, modified=1700000000, mode="600")
    assert facts.manifest.token == f"{sha256(MANIFEST)}@1700000001"
    assert facts.policy is None
    assert facts.owner is None
    assert facts.scripts_sha256 is None
    assert facts.staged_policy_sha256 == "a" * 64
    assert facts.processes == ()
    assert facts.log_free_bytes == 5_000_000_000
    assert facts.kubeadm_config is None
    assert not facts.unfinished_change


def test_admission_policies_are_known_only_where_the_node_could_tell() -> None:
    told = encoded('ValidatingAdmissionPolicy/a {"a":"b c"}\nValidatingAdmissionPolicyBinding/a {}\n')
    assert parse_facts(output(f"annotations {told}")).admission_policies == {
        "ValidatingAdmissionPolicy/a": '{"a":"b c"}',
        "ValidatingAdmissionPolicyBinding/a": "{}",
    }
    assert parse_facts(output("annotations ")).admission_policies == {}
    assert parse_facts(output()).admission_policies is None


def test_whose_admission_policies_are_is_on_record_in_them() -> None:
    told = encoded(
        'ValidatingAdmissionPolicy/a {"kubernetes-audit/owner":"p/s","x":"y z"}\nValidatingAdmissionPolicy/b \n'
        'ValidatingAdmissionPolicy/earlier {"kubernetes-audit/made":"1"}\n'
    )
    assert parse_facts(output(f"annotation-owners {told}")).admission_policy_owners == {
        "ValidatingAdmissionPolicy/a": "p/s",
        "ValidatingAdmissionPolicy/b": "",
        "ValidatingAdmissionPolicy/earlier": None,
    }
    assert parse_facts(output()).admission_policy_owners is None


def test_a_process_with_its_arguments_and_start() -> None:
    command_line = encoded("kube-apiserver\0--secure-port=6443\0--v=2\0")
    facts = parse_facts(output(f"process 4711 1700000100 {command_line}"))
    assert facts.processes == (Process(4711, 1700000100, ("kube-apiserver", "--secure-port=6443", "--v=2")),)


def test_kubeadm_config_with_its_resource_version_and_a_missing_final_line_break() -> None:
    facts = parse_facts(output(f"kubeadm-config 717 {encoded('kind: ClusterConfiguration')}"))
    assert facts.kubeadm_config == KubeadmConfig("kind: ClusterConfiguration", "717")
    assert facts.kubeadm_config.token == f"{sha256('kind: ClusterConfiguration')}@717"


def test_kubeadm_config_as_the_node_kept_it_is_stale() -> None:
    kept = f"kubeadm-config-kept 717 {encoded('kind: ClusterConfiguration')}"
    facts = parse_facts(output(kept, f"kubeadm-config-error {encoded('connection refused')}"))
    assert facts.kubeadm_config == KubeadmConfig("kind: ClusterConfiguration", "717", stale=True)
    assert facts.kubeadm_config_error == "connection refused"


def test_why_kubeadm_config_could_not_be_read() -> None:
    facts = parse_facts(output(f"kubeadm-config-error {encoded('connection refused')}"))
    assert facts.kubeadm_config_error == "connection refused"


def test_where_the_node_looked_and_what_the_log_takes() -> None:
    said = (f"policy-path {encoded('/etc/p.yaml')}", f"log-path {encoded('')}", "log-used-bytes 42")
    facts = parse_facts(output(*said))
    assert (facts.policy_path, facts.log_path, facts.log_used_bytes) == ("/etc/p.yaml", "", 42)
    older = parse_facts(output())
    assert (older.policy_path, older.log_path, older.log_used_bytes) == (None, None, 0)


def test_the_output_that_tests_write_is_read_as_what_they_meant() -> None:
    facts = dataclasses.replace(
        applied(),
        policy_path="/etc/p.yaml",
        log_path="-",
        log_used_bytes=7,
        log_written_bytes=8,
        log_written_seconds=60,
        proof='{"failed":"no"}',
        memory_available_bytes=5,
        memory_running_bytes=3,
        redirect_tool="nft",
        stray_manifests=(StrayManifest("old.yaml", 4000),),
        manifest_pipes=("a pipe",),
        policy_folder=PolicyFolder(
            "/p p",
            "a" * 64,
            (PolicyFile("a.yaml", "text"), PolicyFile("l.yaml", None), PolicyFile("p.yaml", None, is_file=False)),
            "b" * 64,
        ),
        unfinished_change=True,
        missing_tools=("flock",),
        role=Role.CONTROL_PLANE,
        kubelet_runs=False,
        written=Written("a", "b", "c"),
        policy=None,
        policy_folder_changed=3000,
        log_size_bytes=9,
        log_read_only="/var/log",
        kubeadm_config=None,
        kubeadm_config_error="no answer",
    )
    assert parse_facts(facts_output(facts)) == facts


def test_a_record_that_a_power_cut_left_empty_says_nothing() -> None:
    facts = parse_facts(output(f"file owner 1 1 600 {encoded('')}", f"file entry 1 1 600 {encoded('')}"))
    assert (facts.owner, facts.entry) == (None, None)


def test_an_owner_a_journal_and_missing_tools() -> None:
    facts = parse_facts(
        output(
            f"file owner 1 1 600 {encoded('kubernetes-audit/prod' + chr(10))}",
            f"file journal 1 1 600 {encoded('backup=/x')}",
            "missing-tool kubectl",
            "missing-tool flock",
        )
    )
    assert facts.owner == "kubernetes-audit/prod"
    assert facts.unfinished_change
    assert facts.missing_tools == ("kubectl", "flock")


def test_the_files_that_an_unfinished_change_writes_are_known_by_their_hashes() -> None:
    desired, first, policy = sha256("manifest"), sha256("manifest of the first half"), sha256("policy")
    journal = f"desired={desired}\npolicy=/p\npolicy-desired={policy}\narguments={sha256('arguments')}\nplaced-first="
    quick = parse_facts(output(f"file journal 1 1 600 {encoded(journal + first)}"))
    assert quick.unfinished_sha256 == {desired, policy, first}
    assert quick.last_written("recorded", first) == first
    assert quick.last_written("recorded", sha256("by hand")) == "recorded"
    assert parse_facts(output(f"file journal 1 1 600 {encoded(journal)}")).unfinished_sha256 == {desired, policy}


@pytest.mark.parametrize(("journal", "reload"), [("step=swap\nreloads=yes", True), ("step=swap\nreloads=", False)])
def test_an_unfinished_change_of_policies_alone_is_known_as_such(journal: str, reload: bool) -> None:
    facts = parse_facts(output(f"file journal 1 1 600 {encoded(journal)}"))
    assert facts.unfinished_change
    assert facts.unfinished_reload is reload


def test_only_files_that_define_the_api_server_are_stray() -> None:
    other = MANIFEST.replace("name: kube-apiserver", "name: etcd")
    facts = parse_facts(
        output(
            f"static-pod {encoded('kube-apiserver.yaml.bak.1')} {encoded(MANIFEST)} 1700000300",
            f"static-pod {encoded('etcd.yaml')} {encoded(other)} 1700000000",
            f"static-pod {encoded('large.bin')}  1700000000",
        )
    )
    assert facts.stray_manifests == (StrayManifest("kube-apiserver.yaml.bak.1", 1700000300),)


def test_what_the_node_is_and_whether_kubelet_runs() -> None:
    facts = parse_facts(output("role worker", "kubelet stopped"))
    assert (facts.role, facts.kubelet_runs) == (Role.WORKER, False)
    older = parse_facts(output())
    assert (older.role, older.kubelet_runs) == (None, True)


def test_a_file_that_is_absent_has_the_time_of_its_folder() -> None:
    facts = parse_facts(output("file policy absent 1700000200"))
    assert facts.policy is None
    assert facts.policy_token == "absent@1700000200"


def test_what_the_stack_wrote_last() -> None:
    facts = parse_facts(output(f"written manifest {'a' * 64}", f"written kubeadm-config {'b' * 64}"))
    assert facts.written == Written(manifest="a" * 64, kubeadm_config="b" * 64)


def test_a_canary_is_stray_unless_the_journal_names_it() -> None:
    canary = encoded(MANIFEST.replace("name: kube-apiserver\n", "name: kube-apiserver-canary\n", 1))
    pod = f"static-pod {encoded('canary.yaml')} {canary} 1700000300"
    stray = (StrayManifest("canary.yaml", 1700000300),)
    assert parse_facts(output(pod)).stray_manifests == stray
    for journal, strays in (("canary-port=16443\n", ()), ("canary-port=\n", stray)):
        named = f"file journal 1 1 600 {encoded('step=stand-in' + chr(10) + journal)}"
        assert parse_facts(output(named, pod)).stray_manifests == strays


@pytest.mark.parametrize(
    ("text", "pod"),
    [
        (MANIFEST, "kube-apiserver"),
        (MANIFEST.replace("\n", "\r\n"), "kube-apiserver"),
        ('{"kind":"Pod","metadata":{"name":"kube-apiserver"}}', "kube-apiserver"),
        ("metadata:\n  name: kube-apiserver\nspec: {containers: [", "kube-apiserver"),
        ("metadata:\n  name: kube-apiserver-canary\nspec: {containers: [", "kube-apiserver-canary"),
        ("metadata:\n  name: kube-apiserver-canary\n", "kube-apiserver-canary"),
        ("metadata:\n  name: kube-scheduler\n  labels: {watches: kube-apiserver}\n", None),
        ("- a list\n", None),
        ("", None),
    ],
)
def test_which_api_server_a_file_defines(text: str, pod: str | None) -> None:
    assert apiserver_pod(text) == pod


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the answer does not start with 'format 1' but with ''"),
        (
            "Welcome!\nformat 1\nend\n",
            "the answer does not start with 'format 1' but with 'Welcome!'; the account's shell prints that, also "
            "where nobody is at a terminal",
        ),
        ("format 1\nhostname cp1\n", "the answer breaks off before its end"),
        ("format 1\nend\n", "the answer lacks 'hostname'"),
        (output("weather fine"), "unknown fact 'weather'"),
        (output("process 1 2"), "not enough values to unpack"),
        (output("process 1 soon AA=="), "invalid literal for int"),
        (output("file policy 1 2 600 ***"), "Only base64 data is allowed"),
    ],
)
def test_an_answer_that_cannot_be_understood(text: str, message: str) -> None:
    with pytest.raises(FactsError) as raised:
        parse_facts(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "shown", "plain"),
    [
        ("two words.bak", "two words.bak", True),
        ("zurück~", "zurück~", True),
        ("r\\xff", "r\\xff", True),
        (b"r\xff", "r\\xff", False),
        ("two\nlines", "two\\nlines", False),
    ],
)
def test_a_stray_manifest_is_named_readably_and_it_is_known_when_that_is_not_its_name(
    name: str | bytes, shown: str, plain: bool
) -> None:
    as_bytes = name if isinstance(name, bytes) else name.encode()
    facts = parse_facts(output(f"static-pod {base64.b64encode(as_bytes).decode()} {encoded(MANIFEST)} 7"))
    assert facts.stray_manifests == (StrayManifest(shown, 7, plain),)


def test_a_binary_file_beside_the_manifest_is_no_api_server_unless_it_names_that_pod() -> None:
    pods = [b"\x7fELF\xff\xfe\0", b"metadata:\n  name: kube-apiserver\n\xff\0"]
    lines = [f"static-pod {encoded(f'file-{at}')} {base64.b64encode(pod).decode()} 7" for at, pod in enumerate(pods)]
    assert parse_facts(output(*lines)).stray_manifests == (StrayManifest("file-1", 7),)


def test_a_policy_that_is_no_text_is_named() -> None:
    binary = base64.b64encode(b"abc\xff").decode()
    with pytest.raises(FactsError, match=r"the policy file is not UTF-8 text: byte 0xff at 3$"):
        parse_facts(output(f"file policy 1 1 600 {binary}"))


def test_where_kubelet_keeps_container_logs() -> None:
    assert parse_facts(output()).pod_logs == "/var/log/pods"
    assert parse_facts(output(f"pod-logs {encoded('/data/pods')}")).pod_logs == "/data/pods"
