"""What holds of every edit, whatever the file looked like: idempotent, reversible, and nothing else touched."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.manifest import kubeadm_config, manifest, manifest_edit, yaml_edit
from auditlog.manifest.arguments import read_arguments
from auditlog.manifest.audit_flags import BY_NAME, means_the_same
from auditlog.manifest.desired import AuditConfiguration, audit_configuration
from auditlog.manifest.flag_values import Kind
from auditlog.manifest.ownership import owned_by, recorded
from auditlog.settings import (
    Batch,
    Delivery,
    LogFormat,
    LogSettings,
    Mode,
    PolicySettings,
    Throttle,
    Truncate,
    WebhookSettings,
)
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST

QUOTES = st.sampled_from(["", '"', "'"])
COMMENTS = st.sampled_from(["", "  # by hand", "  # --audit-log-path=/no: it is a comment"])
VALUES = {
    Kind.TEXT: st.sampled_from(["batch", "json", "-", "/var/log/kube/audit.log", "/etc/kubernetes/audit-policy.yaml"]),
    Kind.BOOLEAN: st.sampled_from([None, "true", "T", "1", "false", "0"]),
    Kind.INTEGER: st.sampled_from(["7", "30", "100"]),
    Kind.NUMBER: st.sampled_from(["10", "10.0", "2.5"]),
    Kind.DURATION: st.sampled_from(["90s", "1m30s", "5s"]),
}
NUMBERS = st.integers(1, 500)


@st.composite
def hand_made_flags(draw: st.DrawFn, name: str) -> str:
    """One flag as a person may write it: one item or two, quoted or not, with a comment behind it."""
    value, quote, comment = draw(VALUES[BY_NAME[name].kind]), draw(QUOTES), draw(COMMENTS)
    written = name.replace("-", "_") if draw(st.integers(0, 9)) == 0 else name
    if value is None:
        return f"    - {quote}--{written}{quote}{comment}\n"
    if BY_NAME[name].kind is not Kind.BOOLEAN and draw(st.booleans()):
        # Without quotation marks YAML would read a number or "-" as something else than the text it is.
        return f"    - --{written}\n    - '{value}'{comment}\n"
    return f"    - {quote}--{written}={value}{quote}{comment}\n"


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """What kubeadm wrote, after people have been at it."""
    text = MANIFEST
    for name in draw(st.lists(st.sampled_from(sorted(BY_NAME)), unique=True, max_size=6)):
        place = draw(st.sampled_from(["    - --advertise-address", "    - --oidc-client-id", "    image:"]))
        text = text.replace(place, draw(hand_made_flags(name)) + place, 1)
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
def deliveries(draw: st.DrawFn) -> Delivery:
    maybe = st.none() | NUMBERS
    throttle = st.builds(Throttle, st.booleans(), st.none() | st.sampled_from([10.0, 2.5]), maybe)
    batch = st.builds(Batch, maybe, maybe, st.none() | st.sampled_from(["1m30s", "5s"]), st.none() | throttle)
    truncate = st.builds(Truncate, st.booleans(), maybe, maybe)
    return Delivery(
        draw(st.none() | st.sampled_from(Mode)),
        draw(st.sampled_from([None, "audit.k8s.io/v1"])),
        draw(st.none() | batch),
        draw(st.none() | truncate),
    )


@st.composite
def configurations(draw: st.DrawFn) -> AuditConfiguration:
    """What any settings ask for: a file, standard output or neither, a webhook or none, and every flag of both."""
    path = draw(st.sampled_from(["/var/log/kubernetes/audit/audit.log", "/var/log/kube-audit/audit.log", "-"]))
    log = LogSettings(
        path,
        draw(NUMBERS),
        draw(NUMBERS),
        draw(NUMBERS),
        draw(st.none() | st.booleans()),
        draw(st.none() | st.sampled_from(LogFormat)),
        draw(deliveries()),
    )
    webhook = WebhookSettings(
        "https://siem", initial_backoff=draw(st.none() | st.just("5s")), delivery=draw(deliveries())
    )
    kept = draw(st.sampled_from([(log, None), (log, webhook), (None, webhook)]))
    return audit_configuration(PolicySettings(), *kept)


def edit_manifest(text: str, configuration: AuditConfiguration) -> str:
    has_webhook = any(flag.name == "audit-webhook-config-file" for flag in configuration.flags)
    return manifest_edit.edit(text, configuration, "abc", "def" if has_webhook else None)


@given(before=manifests(), configuration=configurations())
@settings(deadline=None, max_examples=25)
def test_manifest_edits_are_idempotent_and_reversible_to_the_byte(
    before: str, configuration: AuditConfiguration
) -> None:
    edited = edit_manifest(before, configuration)
    assert edit_manifest(edited, configuration) == edited
    owned = owned_by(configuration, manifest.present(before))
    assert recorded(owned.record(), manifest.present(edited)) == owned
    assert manifest_edit.revert(edited, before, owned) == before
    there = manifest.present(edited).flags
    assert all(means_the_same(flag.name, there[flag.name], flag.value) for flag in configuration.flags)
    removed = [line for line in before.splitlines() if line not in edited.splitlines()]
    assert all("--audit" in line or line.lstrip().startswith("- '") for line in removed), "only audit lines may change"


@given(before=manifests(), configuration=configurations())
@settings(deadline=None, max_examples=25)
def test_what_is_not_audit_keeps_its_arguments_and_order(before: str, configuration: AuditConfiguration) -> None:
    def others(text: str) -> list[tuple[str, str | None]]:
        found = read_arguments(manifest.arguments(text))
        return [(one.name, one.value) for one in found if not one.name.startswith("audit-")]

    hand_made = {
        name: value
        for name, value in manifest.present(before).flags.items()
        if name.startswith("audit-") and name not in {flag.name for flag in configuration.flags}
    }
    edited = edit_manifest(before, configuration)
    assert others(edited) == others(before)
    assert hand_made.items() <= manifest.present(edited).flags.items(), "extras made by hand stay"


@given(before=manifests(), first=configurations(), second=configurations())
@settings(deadline=None, max_examples=25)
def test_a_setting_that_leaves_the_stack_takes_its_flag_and_mount_along(
    before: str, first: AuditConfiguration, second: AuditConfiguration
) -> None:
    owned = owned_by(first, manifest.present(before))
    once = edit_manifest(before, first)
    kept = manifest_edit.retire(once, before, owned.beyond(owned_by(second, manifest.present(before))))
    twice = edit_manifest(kept, second)
    assert present_of(twice) == present_of(edit_manifest(before, second))
    assert manifest_edit.revert(twice, before, owned_by(second, manifest.present(before))) == before


def present_of(text: str) -> object:
    """The flags and mounts of a manifest, in whatever order."""
    there = manifest.present(text)
    annotations = (manifest.policy_annotation(text), manifest.webhook_annotation(text))
    return {name: value or "true" for name, value in there.flags.items()}, dict(there.mounts), annotations


@given(before=manifests(), configuration=configurations())
@settings(deadline=None, max_examples=15)
def test_removal_after_an_upgrade_keeps_the_new_image(before: str, configuration: AuditConfiguration) -> None:
    upgraded = edit_manifest(before, configuration).replace("v1.36.3", "v1.37.0")
    owned = owned_by(configuration, manifest.present(before))
    assert manifest_edit.revert(upgraded, before, owned) == before.replace("v1.36.3", "v1.37.0")


@st.composite
def cluster_configurations(draw: st.DrawFn) -> str:
    api_server = draw(
        st.sampled_from(
            [
                "apiServer: {}\n",
                "",
                "apiServer:\n  timeoutForControlPlane: 4m0s\n",
                "apiServer:\n  extraArgs: []\n  extraVolumes: []\n",
                "apiServer:\n  certSANs:\n  - 10.0.0.1   # the load balancer\n",
                None,
            ]
        )
    )
    if api_server is None:
        return CLUSTER_CONFIGURATION
    version = draw(st.sampled_from(kubeadm_config.VERSIONS))
    rest = CLUSTER_CONFIGURATION[CLUSTER_CONFIGURATION.index("apiVersion:") :]
    return api_server + rest.replace(kubeadm_config.VERSIONS[1], version)


@given(before=cluster_configurations(), first=configurations(), second=configurations())
@settings(deadline=None, max_examples=25)
def test_cluster_configuration_edits_are_idempotent_and_reversible_to_the_byte(
    before: str, first: AuditConfiguration, second: AuditConfiguration
) -> None:
    owned = owned_by(first, kubeadm_config.present(before))
    edited = kubeadm_config.edit(before, first)
    assert kubeadm_config.edit(edited, first) == edited
    assert kubeadm_config.revert(edited, before, owned) == before
    extra = yaml_edit.load(edited)["apiServer"]["extraArgs"]
    assert isinstance(extra, dict if "v1beta3" in before else list)
    assert {flag.name: flag.value for flag in first.flags}.items() <= kubeadm_config.extra_args(edited).items()
    twice = kubeadm_config.edit(
        kubeadm_config.retire(edited, before, owned.beyond(owned_by(second, kubeadm_config.present(before)))), second
    )
    directly = kubeadm_config.edit(before, second)
    assert dataclasses.asdict(kubeadm_config.present(twice)) == dataclasses.asdict(kubeadm_config.present(directly))
    assert kubeadm_config.revert(twice, before, owned_by(second, kubeadm_config.present(before))) == before
