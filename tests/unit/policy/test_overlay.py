from __future__ import annotations

import re
from dataclasses import replace

import pytest

from auditlog.policy.evaluate import compile_policy, evaluate
from auditlog.policy.lint.silences import silences_in
from auditlog.policy.model import GroupResources, Level, Policy, PolicyError, PolicyRule, Request, Stage
from auditlog.policy.overlay import Overlay, OverlayError, build_policy
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.presets import PresetError, preset_names, preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.resources import CREDENTIAL_RESOURCES
from auditlog.policy.settings import Drops, RaisedLevel
from auditlog.policy.validate import load_policy
from tests.unit.policy.partition import resource_requests

CUSTOM = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  # Robots are
  # not interesting.
  - level: None
    users: [ci]
  - level: Request
    verbs: [delete]
    resources:
      - group: ""
        resources: [pods]
"""
EVERYTHING = Overlay(
    preset="standard",
    rules_before=(PolicyRule(Level.REQUEST, users=("auditor",), verbs=("delete",)),),
    rules_after=(PolicyRule(Level.NONE, users=("backup",), verbs=("get", "list")),),
    drops=Drops(
        users=("ci",),
        user_groups=("robots",),
        namespaces=("scratch",),
        resources=(GroupResources("metrics.k8s.io"),),
        non_resource_urls=("/metrics*",),
    ),
    raised_levels=(RaisedLevel(Level.REQUEST_RESPONSE, "networking.k8s.io", "networkpolicies"),),
    omit_stages=(Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED),
    omit_managed_fields=False,
)


def built(overlay: Overlay) -> Policy:
    return load_policy(build_policy(overlay), "overlay", 30)


@pytest.mark.parametrize("name", preset_names())
def test_without_changes_the_result_says_what_the_preset_says(name: str) -> None:
    assert built(Overlay(preset=name)) == read_policy(preset_text(name), name)


def test_a_custom_text_takes_the_place_of_the_preset() -> None:
    overlay = Overlay(custom_text=CUSTOM, custom_source="policies/mine.yaml")
    assert built(overlay) == read_policy(CUSTOM, "mine")
    assert "  # policies/mine.yaml, rule 1: Robots are not interesting.\n" in build_policy(overlay)
    assert "  # policies/mine.yaml, rule 2\n" in build_policy(overlay)


SILENCED = """\
apiVersion: audit.k8s.io/v1
kind: Policy
# lint: ignore some-finding of the whole policy
rules:
  # Nothing.
  - level: None
    users: [ci]
    # lint: ignore other-finding of the rule
  # Everything.
  # lint: ignore third-finding of the next rule
  - level: Metadata
"""


def test_what_the_author_accepted_stays_accepted_until_something_changes_the_decisions() -> None:
    unchanged = build_policy(Overlay(custom_text=SILENCED, custom_source="mine"))
    before = [
        (silence.id, silence.rule_index, silence.reason) for silence in silences_in(SILENCED, read_policy(SILENCED, ""))
    ]
    after = [
        (silence.id, silence.rule_index, silence.reason)
        for silence in silences_in(unchanged, read_policy(unchanged, ""))
    ]
    assert before == after
    assert len(before) == 3
    assert "  # mine, rule 2: Everything.\n" in unchanged
    for changed in (
        Overlay(custom_text=SILENCED, drops=Drops(users=("cd",))),
        Overlay(custom_text=SILENCED, omit_stages=()),
        Overlay(custom_text=SILENCED, rules_before=(PolicyRule(Level.NONE),)),
        Overlay(custom_text=SILENCED, raised_levels=(RaisedLevel(Level.REQUEST, "", "pods"),)),
    ):
        assert "lint: ignore" not in build_policy(changed)


def test_preset_parameters_arrive() -> None:
    overlay = Overlay(preset="secrets-in-namespaces", preset_parameters={"namespaces": ("test",)})
    assert built(overlay).rules[0].namespaces == ("test",)


def test_the_same_overlay_gives_the_same_text() -> None:
    assert build_policy(EVERYTHING) == build_policy(replace(EVERYTHING))


def test_every_rule_has_a_comment_that_says_where_it_came_from() -> None:
    lines = build_policy(EVERYTHING).splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("  - level: ")]
    assert len(rules) == len(built(EVERYTHING).rules)
    for index in rules:
        assert re.match(r"  # ", lines[index - 1])
    comments = [line.strip() for line in lines if line.startswith("  # ")]
    assert comments[:6] == [
        "# rule 1 put before the base",
        "# dropped by user",
        "# dropped by group",
        "# dropped by namespace",
        "# dropped by resource",
        "# dropped by URL",
    ]
    assert comments[6].startswith("# preset standard, rule 1: Health probes")
    assert max(len(line) for line in lines) <= 110


@pytest.mark.parametrize(
    ("phrase", "level"),
    [
        ("auditor delete pod scratch/x", Level.REQUEST),
        ("ci delete secret prod/tls", Level.NONE),
        ("alice[robots] delete secret prod/tls", Level.NONE),
        ("alice delete secret scratch/tls", Level.NONE),
        ("alice list nodes.metrics.k8s.io", Level.NONE),
        ("alice get /metrics", Level.NONE),
        ("alice delete secret prod/tls", Level.METADATA),
        ("backup get configmap prod/x", Level.NONE),
        ("backup get secret prod/tls", Level.METADATA),
        ("backup delete configmap prod/x", Level.METADATA),
        ("alice get networkpolicy prod/x", Level.REQUEST_RESPONSE),
    ],
)
def test_the_order_of_the_parts_decides(phrase: str, level: Level) -> None:
    assert evaluate(built(EVERYTHING), parse_phrase(phrase)).level is level


def test_policy_wide_settings_are_replaced_or_kept() -> None:
    changed, kept = built(EVERYTHING), built(Overlay())
    assert changed.omit_stages == (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED)
    assert changed.omit_managed_fields is False
    assert kept.omit_stages == (Stage.REQUEST_RECEIVED,)
    assert kept.omit_managed_fields is True
    assert built(Overlay(omit_stages=())).omit_stages == ()


def test_rules_after_a_base_without_a_catch_all_come_last() -> None:
    after = PolicyRule(Level.METADATA, users=("alice",))
    assert built(Overlay(custom_text=CUSTOM, rules_after=(after,))).rules[-1] == after


RAISED = (
    ("", "secrets"),
    ("", "events"),
    ("", "pods/exec"),
    ("apps", "deployments"),
    ("example.com", "widgets"),
)
NEIGHBOURS = (("", "pods"), ("events.k8s.io", "events"), ("apps", "deployments/scale"))


@pytest.mark.parametrize(("group", "resource"), RAISED)
@pytest.mark.parametrize("base", [*preset_names(), CUSTOM])
def test_a_raised_level_is_a_lower_limit_for_that_resource_and_nothing_else(
    base: str, group: str, resource: str
) -> None:
    level = Level.METADATA if (group, resource) in CREDENTIAL_RESOURCES else Level.REQUEST
    overlay = Overlay(custom_text=CUSTOM) if base == CUSTOM else Overlay(preset=base)
    before = compile_policy(built(overlay))
    result = built(replace(overlay, raised_levels=(RaisedLevel(level, group, resource),)))
    after = compile_policy(result)
    url = Request("other", verb="get", resource_request=False, path="/x")
    for request in (*resource_requests(result, RAISED + NEIGHBOURS), url):
        old, new = before(request), after(request)
        asked = "/".join(filter(None, (request.resource, request.subresource)))
        raised = request.resource_request and (request.api_group, asked) == (group, resource)
        assert new.level is (max(old.level, level) if raised else old.level), request
        assert new.omit_stages == old.omit_stages
        assert new.omit_managed_fields == old.omit_managed_fields


def test_raising_a_level_leaves_no_rule_that_can_never_match() -> None:
    raised = RaisedLevel(Level.REQUEST, "apps", "deployments")
    result = built(Overlay(preset="low-write", raised_levels=(raised,)))
    about_deployments = [rule for rule in result.rules if rule.resources == (GroupResources("apps", ("deployments",)),)]
    # Reads, which the preset drops, and everything else; nothing behind the second could still match.
    assert [rule.verbs for rule in about_deployments] == [("get", "list", "watch"), ()]


def test_a_rule_about_the_raised_resource_alone_is_replaced() -> None:
    raised = RaisedLevel(Level.REQUEST_RESPONSE, "", "pods")
    result = built(Overlay(custom_text=CUSTOM, raised_levels=(raised,)))
    pods = (GroupResources("", ("pods",)),)
    assert result.rules == (
        PolicyRule(Level.REQUEST_RESPONSE, users=("ci",), resources=pods),
        PolicyRule(Level.NONE, users=("ci",)),
        PolicyRule(Level.REQUEST_RESPONSE, verbs=("delete",), resources=pods),
        PolicyRule(Level.REQUEST_RESPONSE, resources=pods),
    )


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (RaisedLevel(Level.NONE, "", "pods"), "None raises nothing"),
        (RaisedLevel(Level.REQUEST, "", "pods/*"), "without wildcards"),
        (RaisedLevel(Level.REQUEST, "*", "pods"), "without wildcards"),
        (RaisedLevel(Level.REQUEST, "apps", ""), "allowed is one resource"),
        *(
            (RaisedLevel(Level.REQUEST, group, resource), "bodies hold credentials")
            for group, resource in CREDENTIAL_RESOURCES
        ),
    ],
)
def test_a_level_that_cannot_be_raised_is_refused(raised: RaisedLevel, message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        build_policy(Overlay(raised_levels=(raised,)))


def test_an_unknown_preset_and_a_broken_custom_text_are_refused() -> None:
    with pytest.raises(PresetError):
        build_policy(Overlay(preset="none"))
    with pytest.raises(PolicyError, match=r"mine\.yaml:1:1: "):
        build_policy(Overlay(custom_text="rules: []", custom_source="mine.yaml"))
