"""The stack files of the source documents ask for exactly the documents' flags."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.manifest import kubeadm_config, manifest
from auditlog.manifest.desired import audit_configuration
from auditlog.plan.plan import make_plan
from auditlog.policy.presets import preset_names
from auditlog.policy.selection import selected_policy
from auditlog.settings import parse_settings
from tests.seeds import FLAGS, FOLDER, configuration
from tests.unit.plan.nodes import OWNER, remote, untouched

# The manifest that Palette's guide ends with, as far as it is about audit logging.
SEED_001_BY_HAND = """\
    - --audit-policy-file=/etc/kubernetes/audit-policy.yaml
    - --audit-log-path=/var/log/kubernetes/audit/audit.log
    - --audit-log-batch-max-size=5
    - --audit-log-compress
    - --audit-log-format=json
    - --audit-log-maxage=30
    - --audit-log-maxbackup=100
    - --audit-log-maxsize=50
    - --audit-log-mode=batch
    - --audit-log-truncate-enabled
    - --audit-log-truncate-max-batch-size=10485760
    - --audit-log-truncate-max-event-size=102400
    - --audit-log-version=audit.k8s.io/v1
"""


def test_every_stack_file_has_its_flags() -> None:
    assert {path.name for path in FOLDER.glob("Pulumi.*.yaml")} == {f"Pulumi.{name}.yaml" for name in FLAGS}


@pytest.mark.parametrize("name", FLAGS)
def test_the_flags_are_the_seeds_and_no_others(name: str) -> None:
    settings = parse_settings(configuration(name), preset_names())
    asked = audit_configuration(settings.policy, settings.log, settings.webhook)
    assert {flag.name: flag.value for flag in asked.flags} == FLAGS[name]
    plan = make_plan(settings, selected_policy(settings.policy).text, {"cp1": untouched()}, OWNER)
    written = manifest.flag_values(manifest.arguments(plan.nodes[0].manifest.desired))
    recorded = kubeadm_config.extra_args(plan.kubeadm_config.desired)
    for found in (written, recorded):
        assert {name: value for name, value in found.items() if name.startswith("audit-")} == FLAGS[name]


def test_the_manifest_that_seed_001_ends_with_is_taken_over_without_an_edit_of_a_flag() -> None:
    settings = parse_settings(configuration("001"), preset_names())
    policy = selected_policy(settings.policy).text
    facts = untouched()
    assert facts.manifest is not None
    by_hand = facts.manifest.text.replace("    - --advertise-address", SEED_001_BY_HAND + "    - --advertise-address")
    adopted = dataclasses.replace(facts, manifest=remote(by_hand), policy=remote(policy, 1000))
    node = make_plan(settings, policy, {"cp1": adopted}, OWNER).nodes[0]
    written = node.manifest.desired
    assert [line for line in written.splitlines() if "--audit-" in line] == SEED_001_BY_HAND.splitlines()
