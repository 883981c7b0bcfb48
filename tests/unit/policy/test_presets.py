from __future__ import annotations

from dataclasses import replace

import pytest

from auditlog.policy.evaluate import compile_policy, evaluate
from auditlog.policy.model import NEWEST_MINOR, SUPPORTED_MINORS, Level, Policy, Request, Stage
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.presets import PresetError, preset_names, preset_parameters, preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.resources import CREDENTIAL_RESOURCES, builtin_resources
from auditlog.policy.validate import load_policy
from tests.differential.oracle import ORACLE_MINORS, Question, ask
from tests.unit.policy.partition import VERBS, resource_requests

PRESETS = (
    "baseline",
    "cis",
    "forensic",
    "lean",
    "low-write",
    "minimal",
    "secrets",
    "secrets-in-namespaces",
    "standard",
)
ODD_VERBS = ("", "head", "options", "proxy")


def policy(name: str) -> Policy:
    return read_policy(preset_text(name), name)


def level(name: str, phrase: str) -> Level:
    return evaluate(policy(name), parse_phrase(phrase)).level


def test_these_presets_exist() -> None:
    assert preset_names() == PRESETS


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
def test_a_preset_is_valid_on_every_supported_version(name: str, minor: int) -> None:
    load_policy(preset_text(name), name, minor)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("minor", ORACLE_MINORS)
def test_the_api_server_accepts_a_preset(name: str, minor: int) -> None:
    (answer,) = ask(minor, [Question(preset_text(name))])
    assert answer.accepted, answer.error


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_writes_a_body_that_holds_credentials(name: str) -> None:
    decide = compile_policy(policy(name))
    for request in resource_requests(policy(name), CREDENTIAL_RESOURCES, (*VERBS, *ODD_VERBS)):
        assert decide(request).level <= Level.METADATA, request


@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_of_a_preset_decides_some_request(name: str) -> None:
    """No rule is dead: with the built-in resources of the newest version, probes and discovery, each is
    reached.
    """
    loaded = policy(name)
    resources = [
        (each.group, "/".join(filter(None, (each.resource, subresource))))
        for each in builtin_resources(NEWEST_MINOR)
        for subresource in ("", *each.subresources)
    ]
    # A resource of a custom resource definition that one preset names.
    resources += [
        ("autoscaling.k8s.io", "verticalpodautoscalers"),
        ("autoscaling.k8s.io", "verticalpodautoscalercheckpoints"),
    ]
    decide = compile_policy(loaded)
    reached = {decide(request).rule_index for request in resource_requests(loaded, resources)}
    paths = ("/healthz", "/api", "/openapi/v2", "/metrics")
    reached |= {
        decide(Request("other", verb=verb, resource_request=False, path=path)).rule_index
        for path in paths
        for verb in ("get", "head", "post")
    }
    assert reached - {None} == set(range(len(loaded.rules)))


@pytest.mark.parametrize("name", PRESETS)
def test_the_header_of_a_preset_says_what_why_and_from_where(name: str) -> None:
    text = preset_text(name)
    header = text[: text.index("apiVersion")]
    assert header.startswith(f"# {name}: ")
    for heading in ("Records", "Drops", "Why", "From", "Corrected", "Know"):
        assert f"# {heading}" in header
    assert max(len(line) for line in text.splitlines()) <= 120


LETTERS = {"N": Level.NONE, "M": Level.METADATA, "Q": Level.REQUEST, "R": Level.REQUEST_RESPONSE}


@pytest.mark.parametrize(
    ("phrase", "levels"),
    [
        # One letter for each of PRESETS, in their order.
        ("alice get pods/exec prod/web", "M M M M M M N N M"),
        ("alice create pods/exec prod/web", "M M M M M M N N M"),
        ("alice get pods/portforward prod/web", "M M M M M M N N M"),
        ("alice get secret prod/tls", "N M M M N M M M M"),
        ("alice get secret test/tls", "N M M M N M M N M"),
        ("alice list secrets", "M M M M N M M M M"),
        ("alice update configmap prod/app-config", "N M M M M M M M M"),
        ("alice delete configmap prod/app-config", "N M M M M M M M M"),
        ("alice create serviceaccounts/token prod/app", "N M M M M M N N M"),
        ("system:node:n1 create serviceaccounts/token prod/app", "N M M M M M N N M"),
        ("system:kube-scheduler create tokenreviews", "N M M N N M N N N"),
        ("alice create clusterrolebindings", "R M R M M M N N R"),
        ("alice get clusterrolebinding admin", "N M M M N M N N M"),
        ("alice create pods prod/", "Q Q R M M M N N Q"),
        ("alice patch pods/ephemeralcontainers prod/web", "Q Q M M M M N N Q"),
        ("alice delete deploy prod/web", "N Q R M M M N N Q"),
        ("alice delete validatingadmissionpolicy guard", "N M M M M M N N R"),
        ("alice list pods", "M M M M N M N N M"),
        ("alice get pod prod/web", "N M M M N M N N M"),
        ("system:node:n1 create events prod/", "N M N N N M N N N"),
        ("system:node:n1 create events.events.k8s.io prod/", "N M N N N M N N N"),
        ("alice deletecollection events prod/", "N M M M N M N N M"),
        ("system:node:n1 update lease kube-node-lease/n1", "N N N N N M N N N"),
        ("system:apiserver update lease kube-system/apiserver-x", "N N N M N M N N M"),
        ("system:kube-scheduler update lease kube-system/kube-scheduler", "N N N N N M N N N"),
        ("alice delete lease kube-system/kube-scheduler", "N M M M N M N N M"),
        (
            "system:serviceaccount:kube-system:endpointslice-controller update endpointslices prod/x",
            "N M M N N M N N N",
        ),
        ("system:serviceaccount:kube-system:kube-proxy watch endpointslices", "N M N N N M N N N"),
        ("system:node:n1 patch nodes/status n1", "N M M N M M N N N"),
        ("alice create namespace prod", "N M M M M M N N R"),
        ("alice delete node n1", "M M M M M M N N M"),
        ("system:anonymous list secrets", "M M M M N M M M M"),
        ("system:anonymous get /livez", "N N N N N M N N N"),
        ("system:anonymous head /readyz", "N N N N N M N N N"),
        ("alice get /api", "N M M N N M N N N"),
        ("system:anonymous get /api", "M M M M N M N N M"),
        ("- get /metrics", "N M M M N M N N M"),
        ("alice create selfsubjectrulesreviews", "N M M M N M N N M"),
        ("alice delete certificates.cert-manager.io prod/tls", "N M M M M M N N M"),
    ],
)
def test_each_preset_records_a_request_at_its_level(phrase: str, levels: str) -> None:
    found = {name: level(name, phrase) for name in PRESETS}
    assert found == {name: LETTERS[letter] for name, letter in zip(PRESETS, levels.split(), strict=True)}


@pytest.mark.parametrize("name", ["cis", "forensic", "lean", "standard"])
@pytest.mark.parametrize("request_", ["get pod prod/web", "list secrets", "create pods prod/"])
def test_credentials_that_were_not_accepted_are_recorded(name: str, request_: str) -> None:
    """The API server records them at this stage alone (staging/src/k8s.io/apiserver/pkg/endpoints/filters)."""
    decision = evaluate(policy(name), replace(parse_phrase(f"- {request_}"), user=None, groups=()))
    assert decision.level >= Level.METADATA
    assert Stage.RESPONSE_STARTED not in decision.omit_stages


def test_baseline_records_a_person_who_edits_a_leader_election_configmap_of_the_system() -> None:
    person = "alice update configmap kube-system/cert-manager-controller"
    robot = "system:serviceaccount:kube-system:cert-manager update configmap kube-system/cert-manager-controller"
    assert level("baseline", person) is Level.METADATA
    assert level("baseline", robot) is Level.NONE


def test_namespaces_of_a_preset_can_be_chosen() -> None:
    assert preset_parameters("secrets-in-namespaces") == ("namespaces",)
    chosen = read_policy(preset_text("secrets-in-namespaces", namespaces=["test", "on"]), "chosen")
    assert chosen.rules[0].namespaces == ("test", "on")
    assert evaluate(chosen, parse_phrase("alice get secret test/tls")).level is Level.METADATA
    assert evaluate(chosen, parse_phrase("alice get secret prod/tls")).level is Level.NONE


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(PresetError, match='"standart" is not a preset, did you mean "standard"; allowed: baseline, '):
        preset_text("standart")


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "secrets-in-namespaces"])
def test_a_parameter_the_preset_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(PresetError, match=f'preset "{name}" takes no parameter "namespaces"; allowed: none'):
        preset_text(name, namespaces=["prod"])


@pytest.mark.parametrize("values", [[], ["*"], [""], ["prod*"], ["Prod"], ["a" * 64], ['x"]'], "prod"])
def test_a_parameter_must_be_a_list_of_namespace_names(values: list[str]) -> None:
    with pytest.raises(PresetError, match='parameter "namespaces"'):
        preset_text("secrets-in-namespaces", namespaces=values)
