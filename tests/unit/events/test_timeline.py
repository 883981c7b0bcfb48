"""The timeline: what belongs to a story, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditlog.cli.follow import tail
from auditlog.events.event import Sighting
from auditlog.events.story.change import Bodies, Change, Source
from auditlog.events.story.family import Relation
from auditlog.events.story.subject import Kind, Subject
from auditlog.events.story.timeline import TimelineAnswer, TimelineQuery, timeline
from tests.unit.events.generate import ALICE, encode, service_account
from tests.unit.events.incident import (
    CONTROLLER,
    DEPLOYER,
    FIRST,
    REPLICASETS,
    SECOND,
    incident,
    request,
    seen,
)
from tests.unit.events.test_command_line import auditlog

WEB = Subject(Kind.OBJECT, "web", "deployments", "prod")


def told(subject: Subject, log: list[dict[str, Any]] | None = None, **query: Any) -> TimelineAnswer:
    sightings = map(seen, incident() if log is None else log)
    return timeline(sightings, TimelineQuery(subject, **query))


def sentences(answer: TimelineAnswer) -> list[str]:
    return [each.sentence for each in answer.entries]


def test_an_owner_and_its_children_are_one_story() -> None:
    answer = told(WEB)
    assert sentences(answer) == [
        "system:serviceaccount:ci:deployer changed deployments.apps web in prod: image app: shop:1 -> evil:1, "
        "from 203.0.113.9 with curl",
        "system:serviceaccount:kube-system:deployment-controller created replicasets.apps web-7d4b9c6f58 in prod, "
        "from 10.0.0.11 with kube-controller-manager",
        "system:kube-scheduler placed on a node pods web-7d4b9c6f58-x2vfq in prod",
        "alice@example.org ran a command in pods web-7d4b9c6f58-x2vfq in prod; what was done there is not recorded, "
        "from 10.9.0.4 with kubectl",
    ]
    assert [each.relation for each in answer.entries] == [Relation.ITSELF, *[Relation.NAMED] * 3]
    # The Pod's creation has no name, and the answer says that it may belong here.
    assert answer.nameless_creations == 1
    assert any("1 creation has no name" in doubt.reason for doubt in answer.doubts)


def test_only_the_object_itself() -> None:
    assert len(told(Subject(Kind.OBJECT, "web", "deployments", "prod", children=False)).entries) == 1


@pytest.mark.parametrize(
    ("subject", "count"),
    [
        (Subject(Kind.USER, "alice@example.org"), 3),
        (Subject(Kind.USER, "system:serviceaccount:prod:admin"), 1),
        (Subject(Kind.USER, "alice*"), 3),
        (Subject(Kind.ADDRESS, "198.51.100.7"), 3),
        (Subject(Kind.SESSION, credential=FIRST), 3),
        (Subject(Kind.OBJECT, "app-config", "configmaps", "prod"), 2),
        (Subject(Kind.OBJECT, "app-config", "configmaps", "dev"), 0),
    ],
    ids=str,
)
def test_every_kind_of_subject(subject: Subject, count: int) -> None:
    assert len(told(subject).entries) == count


def test_people_changes_and_refusals_alone() -> None:
    assert [each.user for each in told(WEB, people=True).entries] == ["alice@example.org"]
    reader = Subject(Kind.SESSION, credential=SECOND)
    (refused,) = told(reader, changes=True).entries
    assert refused.sentence == (
        "system:serviceaccount:prod:reader tried to delete configmaps app-config in prod: was refused (403), "
        "from 198.51.100.7 with curl"
    )
    assert told(reader, denied=True).entries == (refused,)


def test_a_session_ends_where_its_caller_pauses() -> None:
    log = [
        request(DEPLOYER, "get", "secrets", "a", 0),
        request(DEPLOYER, "get", "secrets", "b", 1900),
        request(DEPLOYER, "get", "secrets", "c", 1950, audit_id="this-one"),
        request(DEPLOYER, "get", "secrets", "d", 3751),
    ]
    names = [each.name for each in told(Subject(Kind.SESSION, credential=FIRST, anchor="this-one"), log).entries]
    assert names == ["b", "c"]


def test_like_requests_in_a_row_are_one_line() -> None:
    log = [request(DEPLOYER, "get", "secrets", "a", second) for second in range(5)]
    (line,) = told(Subject(Kind.SESSION, credential=FIRST), log).entries
    assert line.count == 5
    assert ", 5 times until 2025-02-21 00:00:04Z" in line.sentence


def test_routine_of_the_cluster_is_left_out_and_counted() -> None:
    log = [
        request(CONTROLLER, "update", "deployments/status", "web", 1),
        request(CONTROLLER, "get", "deployments", "web", 2),
        request(ALICE, "get", "deployments", "web", 3),
    ]
    answer = told(WEB, log)
    assert (answer.routine, [each.user for each in answer.entries]) == (2, [ALICE.username])
    assert len(told(WEB, log, everything=True).entries) == 3


def test_requests_of_two_nodes_are_told_in_the_order_of_time() -> None:
    log = [
        seen(request(ALICE, "get", "deployments", "web", 5), "cp1"),
        seen(request(ALICE, "delete", "deployments", "web", 1), "cp2"),
    ]
    answer = timeline(log, TimelineQuery(WEB))
    assert [each.verb for each in answer.entries] == ["delete", "get"]


def test_an_owner_reference_beats_a_name() -> None:
    body: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {"name": "web-7d4b9c6f58-x2vfq", "ownerReferences": [{"kind": "ReplicaSet", "name": "other"}]},
    }
    more: dict[str, Any] = {"level": "RequestResponse", "response_object": body}
    foreign = request(REPLICASETS, "create", "pods", "", 1, **more)
    assert told(WEB, [foreign]).entries == ()
    replica_set = {
        "kind": "ReplicaSet",
        "metadata": {"name": "odd", "ownerReferences": [{"kind": "Deployment", "name": "web"}]},
    }
    body["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "odd"}]
    log = [
        request(CONTROLLER, "create", "replicasets", "odd", 0, level="RequestResponse", response_object=replica_set),
        request(REPLICASETS, "create", "pods", "", 1, **more),
        request(ALICE, "delete", "pods", "web-7d4b9c6f58-x2vfq", 2),
    ]
    answer = told(WEB, log)
    assert [(each.name, each.relation) for each in answer.entries] == [
        ("odd", Relation.OWNED),
        ("web-7d4b9c6f58-x2vfq", Relation.OWNED),
        ("web-7d4b9c6f58-x2vfq", Relation.OWNED),
    ]
    assert answer.nameless_creations == 0


class TestChange:
    def changed(self, *log: dict[str, Any]) -> Change:
        bodies = Bodies()
        change = Change()
        for each in log:
            change = bodies.change(seen(each).event)
        return change

    def deployment(self, replicas: int, image: str, secret: str = "") -> dict[str, Any]:
        container = {"name": "app", "image": image, "env": [{"name": "PASSWORD", "value": secret}]}
        return {
            "kind": "Deployment",
            "metadata": {"name": "web", "resourceVersion": str(replicas), "managedFields": [{"manager": image}]},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
            "status": {"replicas": replicas},
        }

    def update(self, seconds: float, body: object, resource: str = "deployments", name: str = "web") -> dict[str, Any]:
        return request(
            ALICE, "update", resource, name, seconds, level="RequestResponse", response_object=body, request_object=body
        )

    def test_two_bodies_make_a_difference_without_a_secret_in_it(self) -> None:
        change = self.changed(
            self.update(0, self.deployment(2, "shop:1", "hunter2")),
            self.update(1, self.deployment(3, "shop:2", "geheim")),
        )
        assert change == Change(
            (
                "spec.replicas 2 -> 3",
                "spec.template.spec.containers[app].image shop:1 -> shop:2",
                "spec.template.spec.containers[app].env[PASSWORD].value (not shown) -> (not shown)",
            ),
            Source.BODIES,
        )

    def test_values_of_secrets_are_never_told(self) -> None:
        before, after = ({"kind": "Secret", "data": {"password": value}} for value in ("aHVudGVyMg==", "Z2VoZWlt"))
        change = self.changed(self.update(0, before, "secrets", "db"), self.update(1, after, "secrets", "db"))
        assert change.parts == ("data.password (not shown) -> (not shown)",)
        patch = request(
            ALICE, "patch", "secrets", "db", 2, level="Request", request_object={"data": {"password": "Z2VoZWlt"}}
        )
        assert self.changed(patch) == Change(("data.password = (not shown)",), Source.PATCH)

    def test_a_value_inside_a_new_list_is_not_told(self) -> None:
        change = self.changed(
            self.update(0, {"kind": "Pod", "spec": {}}),
            self.update(
                1,
                {
                    "kind": "Pod",
                    "spec": {"containers": [{"name": "app", "env": [{"name": "PASSWORD", "value": "geheim"}]}]},
                },
            ),
        )
        assert "geheim" not in str(change)

    def test_without_bodies_and_annotations_it_is_not_recorded(self) -> None:
        assert self.changed(request(ALICE, "patch", "deployments", "web", 0)) == Change((), Source.NOT_RECORDED)
        # The first body has nothing to be compared with.
        assert self.changed(self.update(0, self.deployment(2, "a"))) == Change((), Source.NOT_RECORDED)

    def test_a_refused_change_changes_nothing(self) -> None:
        refusal = {"kind": "Status", "status": "Failure"}
        refused = request(
            ALICE, "update", "deployments", "web", 1, level="RequestResponse", response_object=refusal, code=403
        )
        change = self.changed(self.update(0, self.deployment(2, "a")), refused, self.update(2, self.deployment(3, "a")))
        assert change.parts == ("spec.replicas 2 -> 3",)


class TestCommand:
    def test_one_sentence_a_line_and_exact_data(self, log: Path) -> None:
        done = auditlog("timeline", "deploy/web", "-n", "prod", log)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0].startswith("2025-02-21 00:00:40Z  system:serviceaccount:ci:deployer changed")
        data = json.loads(auditlog("timeline", "deploy/web", "-n", "prod", "-o", "json", log).stdout)
        first = data["answer"]["entries"][0]
        assert (first["audit_id"], first["credential"]) == ("0040-000", FIRST)

    def test_a_session_by_one_of_its_requests(self, log: Path) -> None:
        done = auditlog("timeline", "session:bbbbbbbb-1111-4111-8111-111111111111", "-o", "json", log)
        entries = json.loads(done.stdout)["answer"]["entries"]
        assert [each["user"] for each in entries] == ["system:serviceaccount:prod:reader"] * 3

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("deploy/web",), "deployments/web is in a namespace; name it with -n, or -n '*' for any"),
            (("node/a", "-n", "x"), "--namespace x: nodes are in no namespace"),
            (("user:alice", "-n", "x"), "--namespace x is for objects, and not for user alice"),
            (("alice",), "'alice' is no subject; allowed: deploy/web"),
            (("session:xyz",), "session:xyz is no ID; allowed"),
            (("account:ci",), "account:ci is no service account; allowed: account:NAMESPACE/NAME"),
            (("user:alice", "--limit", "0"), "--limit is 0; 1 or more is needed"),
            (("user:alice", "--follow", "--until", "today"), "--follow and --until are both given"),
            (("session:dddddddd-1111-4111-8111-111111111111",), "no request in this log has this auditID"),
            (("dploy/web", "-n", "prod"), "dploy/web: no resource dploy is built in or in these logs; did you mean "),
        ],
    )
    def test_a_slip_is_answered_with_what_is_allowed(self, log: Path, words: tuple[str, ...], message: str) -> None:
        done = auditlog("timeline", *words, log)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_a_kind_that_is_not_built_in(self, log: Path) -> None:
        widget = request(ALICE, "create", "configmaps", "w", 100)
        widget["objectRef"] |= {"resource": "widgets", "apiGroup": "x.io"}
        log.write_bytes(log.read_bytes() + encode(widget))
        assert auditlog("timeline", "widgets/w", "-n", "prod", log).returncode == 0
        slip = auditlog("timeline", "widget/w", "-n", "prod", log)
        assert (slip.returncode, slip.stdout) == (2, "")
        assert "did you mean widgets" in slip.stderr
        # Like a built-in one, but of a group that is none: it may exist.
        other = auditlog("timeline", "ingressroutes.traefik.io/w", "-n", "prod", log)
        assert other.returncode == 3
        assert "no event in these logs is about the resource ingressroutes" in " ".join(other.stdout.split())

    def test_an_unknown_user_is_answered_with_close_names(self, log: Path) -> None:
        done = auditlog("timeline", "user:alice", log)
        assert done.returncode == 3
        assert "nobody is called alice; these names hold it: alice@example.org" in " ".join(done.stdout.split())


def test_following_survives_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"one\ntw")
    steps = iter(
        (
            lambda: log.open("ab").write(b"o\n"),
            lambda: (log.rename(tmp_path / "audit-2025.log").open("ab").write(b"three\n"), log.write_bytes(b"four\n")),
        )
    )
    lines = tail(log, lambda: next(steps)())
    assert [next(lines) for _ in range(4)] == [b"one", b"two", b"three", b"four"]


def test_an_event_of_an_unknown_kind_of_user_is_no_obstacle() -> None:
    value = request(service_account("a", "b", "", ""), "get", "secrets", "x", 0)
    del value["user"]
    assert msgspec.json.decode(encode(value)) is not None
    assert timeline([Sighting("cp1", seen(value).event)], TimelineQuery(Subject(Kind.ADDRESS, "*"))).entries
