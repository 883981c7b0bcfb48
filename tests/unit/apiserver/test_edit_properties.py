"""What holds of every edit, whatever the manifest looked like: idempotent, reversible, and nothing else touched."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.apiserver import kubeadm_config, manifest, yaml_edit
from auditlog.apiserver.desired import audit_configuration
from auditlog.settings import LogSettings, PolicySettings
from tests.unit.apiserver.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST

QUOTES = st.sampled_from(["", '"', "'"])
COMMENTS = st.sampled_from(["", "  # by hand", "  # --audit-log-path=/no: it is a comment"])
AUDIT_FLAGS = ("audit-policy-file", "audit-log-path", "audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize")
VALUES = st.sampled_from(["7", "30", "/var/log/kubernetes/audit/audit.log", "/etc/kubernetes/audit-policy.yaml"])


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """What kubeadm wrote, after people have been at it."""
    text = MANIFEST
    for name in draw(st.lists(st.sampled_from(AUDIT_FLAGS), unique=True)):
        quote = draw(QUOTES)
        line = f"    - {quote}--{name}={draw(VALUES)}{quote}{draw(COMMENTS)}\n"
        place = draw(st.sampled_from(["    - --advertise-address", "    - --oidc-client-id", "    image:"]))
        text = text.replace(place, line + place, 1)
    if draw(st.booleans()):
        text = text.replace("  annotations:\n", "").replace(
            "    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.20.100:6443\n", ""
        )
    if draw(st.booleans()):
        text = text.replace("spec:\n", "# the API server\nspec:\n").replace("  hostNetwork", "\n  hostNetwork")
    if draw(st.booleans()):
        text = text.replace("status: {}\n", "")
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text


@st.composite
def logs(draw: st.DrawFn) -> LogSettings:
    numbers = st.integers(1, 500)
    path = draw(st.sampled_from(["/var/log/kubernetes/audit/audit.log", "/var/log/kube-audit/audit.log"]))
    return LogSettings(path, draw(numbers), draw(numbers), draw(numbers))


@given(before=manifests(), log=logs())
@settings(deadline=None, max_examples=60)
def test_manifest_edits_are_idempotent_and_reversible_to_the_byte(before: str, log: LogSettings) -> None:
    configuration = audit_configuration(PolicySettings(), log)
    edited = manifest.edit(before, configuration, "abc")
    assert manifest.edit(edited, configuration, "abc") == edited
    assert manifest.revert(edited, before, configuration) == before
    arguments = manifest.arguments(edited)
    assert {flag.name: manifest.flag_value(arguments, flag.name) for flag in configuration.flags} == {
        flag.name: flag.value for flag in configuration.flags
    }
    removed = [line for line in before.splitlines() if line not in edited.splitlines()]
    assert all("--audit-" in line for line in removed), "only lines about auditing may change"


@given(before=manifests(), log=logs())
@settings(deadline=None, max_examples=30)
def test_removal_after_an_upgrade_keeps_the_new_image(before: str, log: LogSettings) -> None:
    configuration = audit_configuration(PolicySettings(), log)
    upgraded = manifest.edit(before, configuration, "abc").replace("v1.36.3", "v1.37.0")
    assert manifest.revert(upgraded, before, configuration) == before.replace("v1.36.3", "v1.37.0")


@given(
    api_server=st.sampled_from(
        [
            "apiServer: {}\n",
            "",
            "apiServer:\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs: []\n  extraVolumes: []\n",
            "apiServer:\n  certSANs:\n  - 10.0.0.1   # the load balancer\n",
            None,
        ]
    ),
    version=st.sampled_from(kubeadm_config.VERSIONS),
    log=logs(),
)
@settings(deadline=None, max_examples=60)
def test_cluster_configuration_edits_are_idempotent_and_reversible_to_the_byte(
    api_server: str | None, version: str, log: LogSettings
) -> None:
    before = CLUSTER_CONFIGURATION
    if api_server is not None:
        before = api_server + before[before.index("apiVersion:") :].replace(kubeadm_config.VERSIONS[1], version)
    configuration = audit_configuration(PolicySettings(), log)
    edited = kubeadm_config.edit(before, configuration)
    assert kubeadm_config.edit(edited, configuration) == edited
    assert kubeadm_config.revert(edited, before, configuration) == before
    extra = yaml_edit.load(edited)["apiServer"]["extraArgs"]
    assert isinstance(extra, dict if api_server is not None and version.endswith("v1beta3") else list)
    assert kubeadm_config.extra_args(edited)["audit-log-path"] == log.path
