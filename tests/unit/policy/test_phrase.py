from __future__ import annotations

import pytest

from auditlog.policy.model import Request
from auditlog.policy.phrase import PhraseError, VerbMeaning, parse_phrase, verb_meaning

AUTHENTICATED = ("system:authenticated",)


def resource_request(user: str | None, verb: str, resource: str, **fields: object) -> Request:
    return Request(
        **{"user": user, "groups": AUTHENTICATED, "verb": verb, "api_version": "v1", "resource": resource, **fields}  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("phrase", "request_"),
    [
        (
            "alice deletes configmap prod/app-config",
            resource_request("alice", "delete", "configmaps", namespace="prod", name="app-config"),
        ),
        (
            "alice create pods/exec default/web",
            resource_request("alice", "create", "pods", subresource="exec", namespace="default", name="web"),
        ),
        (
            "system:anonymous get /healthz",
            Request("system:anonymous", ("system:unauthenticated",), "get", resource_request=False, path="/healthz"),
        ),
        ("bob lists secrets", resource_request("bob", "list", "secrets")),
        ("bob lists secrets prod/", resource_request("bob", "list", "secrets", namespace="prod")),
        ("bob watches cm prod/a", resource_request("bob", "watch", "configmaps", namespace="prod", name="a")),
        (
            "bob patches Deployment prod/web",
            resource_request("bob", "patch", "deployments", api_group="apps", namespace="prod", name="web"),
        ),
        (
            "bob get events.events.k8s.io prod/x",
            resource_request("bob", "get", "events", api_group="events.k8s.io", namespace="prod", name="x"),
        ),
        ("bob get ev prod/x", resource_request("bob", "get", "events", namespace="prod", name="x")),
        (
            "bob get certificates.cert-manager.io prod/tls",
            resource_request(
                "bob",
                "get",
                "certificates",
                api_group="cert-manager.io",
                api_version="",
                namespace="prod",
                name="tls",
            ),
        ),
        ("bob get node n1", resource_request("bob", "get", "nodes", name="n1")),
        ("bob creates configmap prod/app-config", resource_request("bob", "create", "configmaps", namespace="prod")),
        ("bob deletecollection pods prod/", resource_request("bob", "deletecollection", "pods", namespace="prod")),
        ("bob create namespace prod", resource_request("bob", "create", "namespaces")),
        ("bob list namespaces prod", resource_request("bob", "list", "namespaces", name="prod")),
        ("bob delete namespace prod", resource_request("bob", "delete", "namespaces", namespace="prod", name="prod")),
        (
            "alice[dev] get node n1",
            resource_request("alice", "get", "nodes", groups=("dev", *AUTHENTICATED), name="n1"),
        ),
        (
            "alice[system:authenticated,dev] get node n1",
            resource_request("alice", "get", "nodes", groups=(*AUTHENTICATED, "dev"), name="n1"),
        ),
        ("- get node n1", resource_request(None, "get", "nodes", groups=(), name="n1")),
        (
            "system:node:n1 get node n1",
            resource_request("system:node:n1", "get", "nodes", groups=("system:nodes", *AUTHENTICATED), name="n1"),
        ),
        (
            "system:serviceaccount:prod:app get node n1",
            resource_request(
                "system:serviceaccount:prod:app",
                "get",
                "nodes",
                groups=("system:serviceaccounts", "system:serviceaccounts:prod", *AUTHENTICATED),
                name="n1",
            ),
        ),
        (
            "alice heads /healthz?verbose",
            Request("alice", AUTHENTICATED, "head", resource_request=False, path="/healthz"),
        ),
        (
            "alice get /apis/apps/v1",
            Request("alice", AUTHENTICATED, "get", resource_request=False, path="/apis/apps/v1"),
        ),
        ("alice get /", Request("alice", AUTHENTICATED, "get", resource_request=False, path="/")),
    ],
)
def test_a_phrase_is_the_request_the_api_server_would_see(phrase: str, request_: Request) -> None:
    assert parse_phrase(phrase) == request_


def test_the_version_decides_what_is_built_in() -> None:
    assert parse_phrase("a get workload prod/x", 36).api_group == "scheduling.k8s.io"
    with pytest.raises(PhraseError, match=r'"workload" is not a resource of Kubernetes 1\.34'):
        parse_phrase("a get workload prod/x", 34)
    assert parse_phrase("a get ip 10.0.0.1", 31).api_version == "v1beta1"
    assert parse_phrase("a get ip 10.0.0.1", 33).api_version == "v1"


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("alice get", '"alice get" is not a request. Allowed:\nUSER VERB RESOURCE'),
        ("alice delete pod prod/web now", "is not a request"),
        ("alice get /healthz now", '"now" is too much'),
        ("alice reads pod prod/web", '"reads" is not a verb here; allowed: get, list, watch, create, '),
        ("alice list /healthz", '"list" is not a verb here; allowed: get, head, post, '),
        ("alice head pod prod/web", '"head" is not a verb here; allowed: get, list, '),
        ("alice get podz prod/web", '"podz" is not a resource of Kubernetes 1.37, did you mean "pod"; allowed: '),
        ("alice get deployments.extensions prod/web", '"deployments.extensions" is not a resource of Kubernetes 1.37'),
        ("alice get pods/shell prod/web", '"shell" is not a subresource of pods in Kubernetes 1.37; allowed: attach, '),
        ("alice get configmaps/status prod/x", "allowed: none"),
        ("alice get pod web", "get pods: the namespace is missing; allowed: NAMESPACE/web"),
        ("alice create configmap", "create configmaps: the namespace is missing; allowed: NAMESPACE/NAME"),
        ("alice get node prod/n1", '"prod/n1": nodes has no namespace; allowed: n1 alone'),
        ("alice get pods prod/", "get pods: the name is missing (of several: list)"),
        ("alice delete pods prod/", "delete pods: the name is missing (of several: deletecollection)"),
        ("alice create pods/exec prod/", "create pods/exec: the name is missing"),
        ("alice deletecollection pods prod/web", '"web" is too much'),
        ("alice get pod a/b/c", '"a/b/c" is not an object; allowed: NAME, NAMESPACE/NAME or NAMESPACE/'),
        ("alice get pod /web", '"/web" is not an object'),
        ("alice get /api/v1/pods", '"/api/v1/pods" is a resource'),
        ("alice get /apis/apps/v1/deployments", '"/apis/apps/v1/deployments" is a resource'),
        ("alice[dev get node n1", '"alice[dev" is not a user; allowed: NAME or NAME[GROUP,GROUP]'),
        ("-[dev] get node n1", "without a user there are no groups"),
    ],
)
def test_a_phrase_that_is_no_request_is_refused_with_what_is_allowed(phrase: str, message: str) -> None:
    with pytest.raises(PhraseError) as raised:
        parse_phrase(phrase)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("delete deletes deleted deleting DELETE Removed destroys erasing", VerbMeaning(("delete",))),
        ("get gets got getting", VerbMeaning(("get",))),
        ("patches patched patching", VerbMeaning(("patch",))),
        ("deletecollection delete-collection", VerbMeaning(("deletecollection",))),
        ("edit edited changing modified", VerbMeaning(("update", "patch"))),
        ("read reads reading", VerbMeaning(("get", "list", "watch"))),
        ("exec execs executed", VerbMeaning(("create", "get"), "exec")),
        ("port-forward port-forwarded", VerbMeaning(("create", "get"), "portforward")),
        ("scaled", VerbMeaning(("update", "patch"), "scale")),
    ],
)
def test_a_verb_is_known_in_any_form_and_case(words: str, meaning: VerbMeaning) -> None:
    assert {word: verb_meaning(word) for word in words.split()} == dict.fromkeys(words.split(), meaning)


def test_a_word_that_is_no_verb_is_answered_with_the_closest_one() -> None:
    with pytest.raises(PhraseError, match='"delte" is not a verb, did you mean "delete"; allowed: get, list'):
        verb_meaning("delte")


def test_a_phrase_takes_every_form_of_one_verb() -> None:
    assert parse_phrase("alice removed configmap prod/app-config") == parse_phrase(
        "alice deletes configmap prod/app-config"
    )
