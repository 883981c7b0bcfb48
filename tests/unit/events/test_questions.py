"""The questions of an investigation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from auditlog.events import questions
from auditlog.events.coverage import Silence, TimeRange, Uncovered
from auditlog.events.event import Event, Sighting
from auditlog.events.questions import (
    Escalation,
    EscalationFinding,
    Identity,
    Reach,
    WhoQuery,
    anonymous,
    deprecated,
    escalations,
    gaps,
    identity,
    secrets,
    who,
)
from auditlog.events.questions.common import one_per_request
from tests.unit.events.generate import (
    ALICE,
    ANONYMOUS,
    BOB,
    CONTROLLER_MANAGER,
    NODES,
    OPERATOR,
    PROBE,
    START,
    Caller,
    encode,
    event,
)
from tests.unit.events.seed_examples import DELETE_SECRET

RBAC = "rbac.authorization.k8s.io"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(value: dict[str, Any], node: str = "cp1") -> Sighting:
    return Sighting(node, msgspec.json.decode(encode(value), type=Event))


def configmap(
    caller: Caller, verb: str, name: str, seconds: float = 0, namespace: str = "prod", **more: Any
) -> Sighting:
    uri = f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")
    reference = {"resource": "configmaps", "namespace": namespace, "apiVersion": "v1"}
    if name:
        reference["name"] = name
    return seen(event(caller, verb, uri, at(seconds), reference=reference, **more))


def users(found: Iterable[questions.Occurrence]) -> list[str]:
    return [each.user for each in found]


class TestWho:
    def test_a_delete_is_attributed(self) -> None:
        log = [
            configmap(BOB, "get", "app-config"),
            configmap(ALICE, "delete", "app-config", 5),
            configmap(BOB, "delete", "x"),
        ]
        answer = who(log, WhoQuery(verbs=("delete",), name="app-config"))
        (match,) = answer.matches
        assert (match.user, match.code, match.source_ips) == (ALICE.username, 200, (ALICE.source_ip,))
        assert (match.resource, match.namespace, match.name) == ("configmaps", "prod", "app-config")
        assert match.time == at(5)
        assert answer.possible == ()

    def test_the_seeds_two_events_are_one_request(self) -> None:
        log = [Sighting("cp1", msgspec.json.decode(line, type=Event)) for line in DELETE_SECRET]
        (match,) = who(log, WhoQuery(verbs=("delete",), name="some-secret", namespace="prod")).matches
        assert (match.user, match.stage) == ("kubernetes-admin", "ResponseComplete")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"name": "app-*"}, [ALICE.username, BOB.username]),
            ({"namespace": "dev"}, [BOB.username]),
            ({"user": "alice*"}, [ALICE.username]),
            ({"resource": "configmaps"}, [ALICE.username, BOB.username]),
            ({"resource": "secrets"}, []),
            ({"verbs": ("create",)}, []),
            ({"time": TimeRange(since=at(5))}, [BOB.username]),
            ({"time": TimeRange(until=at(5))}, [ALICE.username]),
        ],
    )
    def test_every_part_of_the_query_counts(self, query: dict[str, Any], expected: list[str]) -> None:
        log = [configmap(ALICE, "delete", "app-1"), configmap(BOB, "delete", "app-2", 10, "dev")]
        assert users(who(log, WhoQuery(**query)).matches) == expected

    @pytest.mark.parametrize(
        "resource", ["deployments", "deployments.apps", "deployments.apps/scale", "deployments/scale"]
    )
    def test_a_resource_is_known_with_and_without_its_group_and_subresource(self, resource: str) -> None:
        reference = {
            "resource": "deployments",
            "namespace": "a",
            "name": "b",
            "apiGroup": "apps",
            "subresource": "scale",
        }
        log = [
            seen(event(ALICE, "patch", "/apis/apps/v1/namespaces/a/deployments/b/scale", START, reference=reference))
        ]
        assert len(who(log, WhoQuery(resource=resource)).matches) == 1

    def test_the_deletion_of_a_collection_may_have_hit_the_object(self) -> None:
        log = [configmap(OPERATOR, "deletecollection", ""), configmap(OPERATOR, "deletecollection", "", 1, "dev")]
        answer = who(log, WhoQuery(verbs=("delete",), name="app-config", namespace="prod", resource="configmaps"))
        assert answer.matches == ()
        assert [(each.verb, each.namespace) for each in answer.possible] == [("deletecollection", "prod")]

    def test_who_acted_as_someone_else_is_found_under_both_names(self) -> None:
        log = [configmap(ALICE, "delete", "x", impersonated="system:admin")]
        for name in (ALICE.username, "system:admin"):
            (match,) = who(log, WhoQuery(user=name)).matches
            assert (match.user, match.impersonated) == (ALICE.username, "system:admin")

    def test_the_latest_matches_are_kept_and_the_rest_counted(self) -> None:
        log = [configmap(ALICE, "get", "x", second, audit_id=str(second)) for second in range(10)]
        answer = who(log, WhoQuery(limit=3))
        assert [each.time for each in answer.matches] == [at(7), at(8), at(9)]
        assert answer.left_out == 7

    def test_a_request_that_began_before_the_range_and_ended_in_it_is_found(self) -> None:
        log = [configmap(ALICE, "watch", "", 0, duration=timedelta(minutes=10))]
        assert len(who(log, WhoQuery(time=TimeRange(since=at(300)))).matches) == 1


class TestOnePerRequest:
    def test_stages_of_a_request_are_one_and_the_final_one_wins(self) -> None:
        stages = ("RequestReceived", "ResponseStarted", "ResponseComplete")
        log = [configmap(ALICE, "watch", "", stage=stage) for stage in stages]
        assert [each.event.stage for each in one_per_request(log)] == ["ResponseComplete"]

    def test_a_request_that_is_still_open_is_told_by_its_latest_stage(self) -> None:
        log = [configmap(ALICE, "watch", "", stage=stage) for stage in ("RequestReceived", "ResponseStarted")]
        assert [each.event.stage for each in one_per_request(log)] == ["ResponseStarted"]

    def test_the_same_event_from_overlapping_files_is_one(self) -> None:
        log = [configmap(ALICE, "delete", "x"), configmap(BOB, "get", "y", 1), configmap(ALICE, "delete", "x")]
        assert len(list(one_per_request(log))) == 2

    def test_a_client_cannot_hide_requests_behind_one_audit_id(self) -> None:
        log = [configmap(ALICE, "delete", "a", audit_id="mine"), configmap(ALICE, "delete", "b", audit_id="mine")]
        log.append(configmap(ALICE, "delete", "a", 1, audit_id="mine"))
        assert len(list(one_per_request(log))) == 3


def heartbeat(node: str, *seconds: float) -> list[Sighting]:
    return [seen(event(NODES[0], "get", "/livez", at(second), duration=timedelta()), node) for second in seconds]


class TestGaps:
    def test_a_gap_is_longer_than_the_threshold(self) -> None:
        answer = gaps(heartbeat("cp1", 0, 60, 121, 130))
        (gap,) = answer.gaps
        assert (gap.node, gap.silence, gap.seconds) == ("cp1", Silence(at(60), at(121)), 61)

    def test_events_out_of_order_make_no_gap(self) -> None:
        assert gaps(heartbeat("cp1", 0, 50, 20, 100)).gaps == ()

    def test_gaps_are_those_of_each_node_and_tell_whether_others_wrote(self) -> None:
        log = [
            *heartbeat("cp1", 0, 200, 400, 430),
            *heartbeat("cp2", *range(0, 210, 50), 410),
            *heartbeat("cp3", 0, 30),
        ]
        answer = gaps(log)
        assert [(gap.node, gap.silence.start, gap.others_wrote) for gap in answer.gaps] == [
            ("cp1", at(0), True),
            ("cp1", at(200), False),
            ("cp2", at(200), True),
        ]

    def test_where_no_other_node_reaches_nothing_is_known_of_them(self) -> None:
        assert gaps(heartbeat("cp1", 0, 100)).gaps[0].others_wrote is None

    def test_another_threshold_can_be_asked_for(self) -> None:
        assert len(gaps(heartbeat("cp1", 0, 20, 40), threshold=timedelta(seconds=10)).gaps) == 2


class TestCoverage:
    def test_what_the_logs_do_not_cover_of_the_asked_range_is_said(self) -> None:
        asked = TimeRange(at(-3600), at(7200))
        coverage = gaps([*heartbeat("cp1", 0, 30), *heartbeat("cp2", -3600, 7200)], asked).coverage
        assert coverage.uncovered == (
            Uncovered("cp1", at(-3600), at(0)),
            Uncovered("cp1", at(30), at(7200)),
        )
        assert [(node.node, node.first, node.last, node.events) for node in coverage.nodes] == [
            ("cp1", at(0), at(30), 2),
            ("cp2", at(-3600), at(7200), 2),
        ]

    def test_silences_are_counted_and_the_longest_is_named(self) -> None:
        (node,) = who(heartbeat("cp1", 0, 100, 110, 310), WhoQuery(verbs=("delete",))).coverage.nodes
        assert (node.silences, node.silent_seconds) == (2, 300)
        assert node.longest_silence == Silence(at(110), at(310))

    def test_a_node_whose_log_lies_outside_the_range_is_named(self) -> None:
        asked = TimeRange(at(1000), None)
        coverage = who([*heartbeat("cp1", 0), *heartbeat("cp2", 1000)], WhoQuery(time=asked)).coverage
        assert coverage.uncovered == (Uncovered("cp1", at(1000), None),)


class TestAnonymous:
    def test_what_was_reached_comes_first_and_probes_are_public(self) -> None:
        pods = {"resource": "pods", "apiVersion": "v1"}
        cluster_info = {
            "resource": "configmaps",
            "namespace": "kube-public",
            "name": "cluster-info",
            "apiVersion": "v1",
        }
        nobody = Caller("", (), "curl/8.5.0", "203.0.113.9")
        log = [
            seen(event(PROBE, "get", "/livez?verbose", at(0))),
            seen(
                event(
                    ANONYMOUS,
                    "get",
                    "/api/v1/namespaces/kube-public/configmaps/cluster-info",
                    at(1),
                    reference=cluster_info,
                )
            ),
            seen(event(ANONYMOUS, "list", "/api/v1/pods", at(2), reference=pods, code=403)),
            seen(event(ANONYMOUS, "list", "/api/v1/pods", at(3), reference=pods)),
            seen(event(nobody, "get", "/api", at(4), code=401)),
            seen(event(ANONYMOUS, "get", "/metrics", at(5))),
            seen(event(ALICE, "get", "/metrics", at(6))),
        ]
        assert [(each.reach, each.target) for each in anonymous(log).accesses] == [
            (Reach.REACHED, "pods"),
            (Reach.REACHED, "/metrics"),
            (Reach.PUBLIC, "/livez"),
            (Reach.PUBLIC, "configmaps"),
            (Reach.REFUSED, "pods"),
            (Reach.NOT_AUTHENTICATED, "/api"),
        ]

    def test_requests_that_are_alike_are_counted_together(self) -> None:
        log = [seen(event(PROBE, "get", "/livez", at(second), audit_id=str(second))) for second in (3, 1, 2)]
        (access,) = anonymous(log).accesses
        assert (access.count, access.first, access.last) == (3, at(1), at(3))


def rbac(verb: str, resource: str, name: str, seconds: float = 0, namespace: str = "", **more: Any) -> Sighting:
    reference = {"resource": resource, "name": name, "apiGroup": RBAC, "apiVersion": "v1"}
    if namespace:
        reference["namespace"] = namespace
    return seen(event(ALICE, verb, f"/apis/{RBAC}/v1/{resource}", at(seconds), reference=reference, **more))


def binding(role: str, *subjects: tuple[str, str], kind: str = "ClusterRole") -> dict[str, Any]:
    return {
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": subject, "name": name} for subject, name in subjects],
    }


def found(*log: Sighting) -> list[EscalationFinding]:
    return list(escalations(log).findings)


class TestEscalations:
    def test_a_binding_to_cluster_admin_is_told_with_its_subjects(self) -> None:
        body = binding("cluster-admin", ("User", "mallory"))
        (finding,) = found(rbac("create", "clusterrolebindings", "oops", level="Request", request_object=body))
        assert (finding.kind, finding.role, finding.subjects) == (
            Escalation.CLUSTER_ADMIN,
            "cluster-admin",
            ("User mallory",),
        )
        assert finding.explanation == "all rights everywhere"

    def test_in_a_namespace_cluster_admin_reaches_as_far_as_the_namespace(self) -> None:
        body = binding("cluster-admin", ("User", "mallory"))
        log = rbac("create", "rolebindings", "oops", namespace="prod", level="Request", request_object=body)
        assert found(log)[0].explanation == "all rights in namespace prod"

    def test_without_the_body_only_the_change_is_known_and_it_says_so(self) -> None:
        (finding,) = found(rbac("create", "clusterrolebindings", "oops"))
        assert (finding.kind, finding.role, finding.subjects) == (Escalation.UNKNOWN, "", ())
        assert "recorded at Metadata, without the body" in finding.explanation

    def test_annotations_tell_at_metadata_what_a_body_would(self) -> None:
        def annotated(resource: str, **said: str) -> Sighting:
            entry = "binding" if resource.endswith("bindings") else "role"
            keys = {f"audit-annotations-{entry}/{key}": value for key, value in said.items()}
            return rbac("patch", resource, "oops", annotations=keys)

        (finding,) = found(
            annotated("clusterrolebindings", role="ClusterRole cluster-admin", subjects="User mallory", complete="yes")
        )
        assert (finding.kind, finding.role, finding.subjects) == (
            Escalation.CLUSTER_ADMIN,
            "cluster-admin",
            ("User mallory",),
        )
        assert finding.request.changed == "ClusterRole cluster-admin to User mallory"
        (wide,) = found(annotated("clusterroles", wildcards="verbs, groups", complete="yes"))
        assert (wide.kind, wide.explanation) == (Escalation.WILDCARD_ROLE, "all verbs")
        assert found(annotated("clusterroles", wildcards="groups", complete="yes")) == []
        assert found(annotated("clusterroles", complete="yes")) == []
        (unknown,) = found(annotated("clusterrolebindings", role="ClusterRole view", subjects="User a"))
        assert unknown.kind is Escalation.UNKNOWN

    def test_a_body_that_was_cut_off_is_told_as_that(self) -> None:
        cut = rbac("create", "clusterroles", "wide", level="Request", annotations={"audit.k8s.io/truncated": "true"})
        assert "too large and its body cut off" in found(cut)[0].explanation

    def test_a_patch_alone_does_not_tell_the_role_but_the_response_does(self) -> None:
        patch = {"subjects": [{"kind": "User", "name": "mallory"}]}
        sent = rbac("patch", "clusterrolebindings", "ops", level="Request", request_object=patch)
        (finding,) = found(sent)
        assert (finding.kind, finding.subjects) == (Escalation.UNKNOWN, ("User mallory",))
        answered = rbac(
            "patch",
            "clusterrolebindings",
            "ops",
            level="RequestResponse",
            request_object=patch,
            response_object=binding("cluster-admin", ("User", "mallory")),
        )
        assert found(answered)[0].kind is Escalation.CLUSTER_ADMIN

    def test_a_json_patch_is_not_an_object_and_tells_nothing(self) -> None:
        patch = [{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "mallory"}}]
        log = rbac("patch", "clusterrolebindings", "ops", level="Request", request_object=patch)
        assert found(log)[0].kind is Escalation.UNKNOWN

    def test_an_ordinary_binding_is_no_finding(self) -> None:
        body = binding("view", ("User", "bob"))
        assert found(rbac("create", "clusterrolebindings", "v", level="Request", request_object=body)) == []

    def test_a_binding_of_everyone_is_a_finding(self) -> None:
        body = binding("view", ("Group", "system:authenticated"))
        (finding,) = found(rbac("create", "clusterrolebindings", "v", level="Request", request_object=body))
        assert (finding.kind, finding.explanation) == (Escalation.EVERYONE, "system:authenticated get it")

    @pytest.mark.parametrize(
        ("rule", "wide"),
        [
            ({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}, True),
            ({"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"]}, True),
            ({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}, False),
        ],
    )
    def test_a_role_with_a_wildcard_is_a_finding(self, rule: dict[str, Any], wide: bool) -> None:
        log = rbac("create", "clusterroles", "r", level="Request", request_object={"rules": [rule]})
        assert [finding.kind for finding in found(log)] == [Escalation.WILDCARD_ROLE] * wide

    def test_a_binding_of_a_role_that_got_wildcards_before_is_a_finding(self) -> None:
        wide = {"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
        narrow = {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}
        body = binding("ops", ("User", "bob"))
        role = rbac("create", "clusterroles", "ops", 0, level="Request", request_object=wide)
        bound = rbac("create", "clusterrolebindings", "b", 2, level="Request", request_object=body)
        narrowed = rbac("update", "clusterroles", "ops", 1, level="Request", request_object=narrow)
        assert [finding.kind for finding in found(role, bound)] == [
            Escalation.WILDCARD_ROLE,
            Escalation.WILDCARD_BINDING,
        ]
        assert [finding.kind for finding in found(role, narrowed, bound)] == [Escalation.WILDCARD_ROLE]

    def test_a_refused_attempt_is_a_finding_with_its_code(self) -> None:
        body = binding("cluster-admin", ("User", "mallory"))
        log = rbac("create", "clusterrolebindings", "oops", level="Request", request_object=body, code=403)
        assert found(log)[0].request.code == 403

    def test_reads_and_deletions_are_none(self) -> None:
        assert found(rbac("get", "clusterroles", "x"), rbac("delete", "clusterrolebindings", "x")) == []


def secret(caller: Caller, verb: str, namespace: str, name: str, seconds: float = 0, code: int = 200) -> Sighting:
    reference = {"resource": "secrets", "apiVersion": "v1"}
    reference |= {key: value for key, value in (("namespace", namespace), ("name", name)) if value}
    uri = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    return seen(event(caller, verb, uri, at(seconds), reference=reference, code=code))


class TestSecrets:
    def test_people_come_before_workloads_and_refusals_are_marked(self) -> None:
        log = [
            secret(OPERATOR, "get", "prod", "db", 1),
            secret(ALICE, "get", "prod", "db", 2),
            secret(BOB, "get", "prod", "db", 3, code=403),
            secret(CONTROLLER_MANAGER, "list", "", "", 4),
            secret(ALICE, "delete", "prod", "db", 5),
        ]
        assert [(each.reader, each.user, each.name, each.allowed) for each in secrets(log).accesses] == [
            (Identity.HUMAN, ALICE.username, "db", True),
            (Identity.HUMAN, BOB.username, "db", False),
            (Identity.SERVICE_ACCOUNT, OPERATOR.username, "db", True),
            (Identity.CONTROL_PLANE, CONTROLLER_MANAGER.username, "", True),
        ]

    def test_a_namespace_asks_for_its_secrets_and_for_reads_across_all(self) -> None:
        log = [secret(ALICE, "get", "prod", "db"), secret(ALICE, "get", "dev", "db", 1), secret(BOB, "list", "", "", 2)]
        assert [each.namespace for each in secrets(log, namespace="prod").accesses] == ["prod", ""]

    @pytest.mark.parametrize(
        ("username", "kind"),
        [
            ("kubernetes-admin", Identity.HUMAN),
            ("system:serviceaccount:a:b", Identity.SERVICE_ACCOUNT),
            ("system:node:worker-1", Identity.NODE),
            ("system:apiserver", Identity.CONTROL_PLANE),
            ("system:anonymous", Identity.ANONYMOUS),
        ],
    )
    def test_user_names_tell_what_kind_of_user_it_is(self, username: str, kind: Identity) -> None:
        assert identity(username) is kind


class TestDeprecated:
    def test_uses_are_told_by_the_release_that_removes_the_api(self) -> None:
        def use(version: str, release: str, seconds: float) -> Sighting:
            reference = {
                "resource": "cronjobs",
                "namespace": "a",
                "name": "b",
                "apiGroup": "batch",
                "apiVersion": version,
            }
            annotations = {"k8s.io/deprecated": "true", **({"k8s.io/removed-release": release} if release else {})}
            return seen(event(BOB, "get", "/x", at(seconds), reference=reference, annotations=annotations))

        log = [use("v2", "", 0), use("v1beta2", "1.40", 1), use("v1beta1", "1.9", 2), use("v1beta1", "1.9", 3)]
        log.append(configmap(BOB, "get", "x"))
        assert [(each.removed_release, each.api, each.count) for each in deprecated(log).uses] == [
            ("1.9", "cronjobs.batch v1beta1", 2),
            ("1.40", "cronjobs.batch v1beta2", 1),
            ("", "cronjobs.batch v2", 1),
        ]


@pytest.mark.parametrize("question", [anonymous, deprecated, escalations, secrets, gaps])
def test_an_answer_from_nothing_says_that_there_was_nothing(question: Any) -> None:
    answer = question([])
    assert answer.coverage.nodes == ()
    assert answer.left_out == 0
