"""Rules of Sigma and Falco under a policy: can they fire, and what do they lack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditlog.cli import main
from auditlog.detections.foreign import ForeignError, ForeignFinding, Verdict, check_rules, falco_rules, sigma_rules
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_text
from auditlog.policy.validate import policy_as_read

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
EVERYTHING = "- level: RequestResponse\n"
NO_BODIES = "- level: Metadata\n"


def policy(rules: str) -> Policy:
    return policy_as_read(HEAD + rules, "policy")


def sigma(detection: str, rules: str = EVERYTHING) -> ForeignFinding:
    text = f"title: t\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n{detection}"
    (finding,) = check_rules(policy(rules), sigma_rules(text, "rule"))
    return finding


def falco(condition: str, rules: str = EVERYTHING, more: str = "") -> ForeignFinding:
    text = f"{more}- rule: t\n  source: k8s_audit\n  condition: {condition}\n"
    (finding,) = check_rules(policy(rules), falco_rules(text, "rules"))
    return finding


EXEC = "  s: {verb: create, objectRef.resource: pods, objectRef.subresource: exec}\n  condition: s\n"
HOST_PATH = "  s: {verb: create, objectRef.resource: pods, requestObject.spec.volumes.hostPath: '*'}\n  condition: s\n"
SECRETS = "  s: {verb: [get, list], objectRef.resource: secrets}\n  condition: 1 of them\n"
BY_ALICE = "  s: {user.username: alice}\n  condition: s\n"
NO_SECRETS = "- level: None\n  resources: [{group: '', resources: [secrets]}]\n"


@pytest.mark.parametrize(
    ("detection", "rules", "verdict"),
    [
        (EXEC, EVERYTHING, Verdict.FIRES),
        (EXEC, NO_BODIES, Verdict.FIRES),
        (EXEC, "- level: None\n  verbs: [create]\n" + EVERYTHING, Verdict.NEVER),
        (HOST_PATH, EVERYTHING, Verdict.FIRES),
        (HOST_PATH, NO_BODIES, Verdict.NEVER),
        (SECRETS, NO_SECRETS + EVERYTHING, Verdict.NEVER),
        (SECRETS, "- level: None\n  verbs: [list]\n" + EVERYTHING, Verdict.PARTIAL),
        (SECRETS, "- level: None\n  users: [alice]\n" + EVERYTHING, Verdict.PARTIAL),
        (
            "  s: {user.username: alice}\n  condition: s\n",
            "- level: None\n  users: [bob]\n" + EVERYTHING,
            Verdict.UNKNOWN,
        ),
        ("  s: {user.username: alice}\n  condition: s\n", "- level: None\n", Verdict.NEVER),
        ("  s: {capabilities: '*'}\n  condition: s\n", EVERYTHING, Verdict.UNKNOWN),
        ("  s: {capabilities: '*'}\n  condition: s\n", "- level: None\n", Verdict.NEVER),
        (
            "  s: {objectRef.resource: secrets}\n  f: {user.username|startswith: 'system:'}\n"
            "  condition: s and not f\n",
            "- level: None\n  userGroups: ['system:nodes']\n" + EVERYTHING,
            Verdict.FIRES,
        ),
        ("  s: {verb: get}\n  t: {verb: list}\n  condition: s and t\n", EVERYTHING, Verdict.NEVER),
        ("  s: {verb: get}\n  t: {verb: list}\n  condition: all of them\n", EVERYTHING, Verdict.NEVER),
        ("  s: {verb: get}\n  t: {verb: list}\n  condition: not (s or t)\n", NO_BODIES, Verdict.FIRES),
        ("  s:\n  - {verb: get}\n  - {verb: list}\n  condition: s | count() > 5\n", NO_BODIES, Verdict.FIRES),
        ("  s: {responseStatus.code: 403}\n  condition: s\n", "- level: Metadata\n", Verdict.FIRES),
        (
            "  s: {responseStatus.code: 403}\n  condition: s\n",
            "- level: Metadata\n  omitStages: [ResponseStarted, ResponseComplete, Panic]\n",
            Verdict.NEVER,
        ),
    ],
)
def test_a_sigma_rule_under_a_policy(detection: str, rules: str, verdict: Verdict) -> None:
    assert sigma(detection, rules).verdict is verdict


def test_fields_that_are_not_kept_are_named() -> None:
    finding = sigma(HOST_PATH, NO_BODIES)
    assert finding.missing == ("requestObject.spec.volumes.hostPath",)
    assert finding.reason == "what it asks for is recorded without the bodies"
    assert any("Metadata only, Request is needed" in words for words in finding.unseen)


MACROS = """\
- list: stages
  items: [ResponseComplete]
- macro: kevt
  condition: (jevt.value[/stage] in (stages))
- macro: kcreate
  condition: ka.verb=create
"""
PRIVILEGED = "kevt and kcreate and ka.target.resource=pods and ka.req.pod.containers.privileged intersects (true)"


@pytest.mark.parametrize(
    ("condition", "rules", "verdict"),
    [
        (PRIVILEGED, EVERYTHING, Verdict.FIRES),
        (PRIVILEGED, NO_BODIES, Verdict.NEVER),
        (PRIVILEGED, "- level: Request\n  omitStages: [ResponseComplete]\n", Verdict.NEVER),
        ("kevt and ka.target.subresource in (exec, attach)", NO_BODIES, Verdict.FIRES),
        ("kevt and unknown_macro", NO_BODIES, Verdict.UNKNOWN),
        ("kevt and unknown_macro", "- level: None\n", Verdict.NEVER),
        ("ka.verb in (get, list) and not ka.verb=list", "- level: None\n  verbs: [list]\n" + NO_BODIES, Verdict.FIRES),
        ("(ka.verb=get or ka.verb=list)", "- level: None\n  verbs: [list]\n" + NO_BODIES, Verdict.PARTIAL),
        (
            "ka.target.namespace != prod and ka.verb=get",
            "- level: None\n  namespaces: [dev]\n" + NO_BODIES,
            Verdict.UNKNOWN,
        ),
        ("ka.resp.name exists", "- level: Request\n", Verdict.NEVER),
        ("ka.verb=get and (", NO_BODIES, Verdict.UNKNOWN),
    ],
)
def test_a_falco_rule_under_a_policy(condition: str, rules: str, verdict: Verdict) -> None:
    assert falco(condition, rules, MACROS).verdict is verdict


def test_rules_that_are_not_about_audit_events_cannot_be_judged() -> None:
    (other,) = check_rules(policy(EVERYTHING), sigma_rules("title: a\ndetection: {condition: s}\n", "rule"))
    assert (other.verdict, other.reason) == (
        Verdict.UNKNOWN,
        "its logsource is not product: kubernetes, service: audit",
    )
    (syscall,) = check_rules(policy(EVERYTHING), falco_rules("- rule: a\n  condition: evt.type=open\n", "rules"))
    assert (syscall.verdict, syscall.reason) == (Verdict.UNKNOWN, "its source is not k8s_audit")


@pytest.mark.parametrize("text", ["", "a", "title: x\n", "- rule: a\n", "{"])
def test_a_file_that_holds_no_rules_is_told(text: str) -> None:
    for read in (sigma_rules, falco_rules):
        with pytest.raises(ForeignError, match=r"^rules: .*allowed: a "):
            read(text, "rules")


def test_the_command_has_three_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = tmp_path / "rule.yaml"
    head = "title: t\nlogsource: {product: kubernetes, service: audit}\ndetection:\n"

    def code(detection: str, *arguments: str) -> int:
        rule.write_text(head + detection)
        return main(["detections", "--policy", "preset:standard", "--sigma", str(rule), *arguments])

    assert code(EXEC, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["rules"][0]["verdict"] == "can fire"
    assert code("  s: {objectRef.resource: pods, responseObject.kind: Pod}\n  condition: s\n") == 1
    assert code("  s: {capabilities: '*'}\n  condition: s\n") == 3
    assert main(["detections", "--sigma", str(rule)]) == 2
    assert "need --policy" in capsys.readouterr().err


def test_the_preset_standard_keeps_what_usual_rules_need() -> None:
    standard = policy_as_read(preset_text("standard"), "standard")
    text = f"{MACROS}- rule: a\n  source: k8s_audit\n  condition: {PRIVILEGED}\n"
    (finding,) = check_rules(standard, falco_rules(text, "rules"))
    assert finding.verdict is Verdict.PARTIAL
