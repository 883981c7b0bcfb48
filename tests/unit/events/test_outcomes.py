"""What an empty answer is worth, under the policy that wrote the log.

The logs are what a policy writes of made-up requests: `auditlog.policy.evaluate` decides, which is held to the API
server's own code elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditlog.events import questions
from auditlog.events.coverage import ANY_TIME, TimeRange
from auditlog.events.event import Event, Sighting, to_request
from auditlog.events.evidence import Evidence, is_heartbeat, records_heartbeat
from auditlog.events.judgement import Known, Material, judge, judge_gaps
from auditlog.events.outcome import Cause, Outcome, Verdict
from auditlog.events.questions import Answer, WhoQuery, who_need
from auditlog.events.reading import Damage
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.phrase import groups_of
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.recording import Need
from tests.unit.events.generate import START, Caller, encode, event

RBAC = "rbac.authorization.k8s.io"
ALL = PolicyRule(Level.METADATA)
DROP = PolicyRule(Level.NONE)
ONE = Known(nodes=1)


def preset(name: str) -> Policy:
    return read_policy(preset_text(name), f"preset:{name}")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on its way: what the policy sees of it, and what else its event holds."""

    request: Request
    seconds: float = 0
    node: str = "cp1"
    impersonated: str | None = None
    is_open: bool = False
    """Whether it has not ended when the log is read."""
    body: Any = None
    annotations: tuple[tuple[str, str], ...] = ()


def person(user: str, verb: str, resource: str, namespace: str = "", name: str = "", group: str = "") -> Request:
    return Request(user, groups_of(user), verb, True, group, "v1", resource, "", namespace, name)


def log_of(policy: Policy, sent: Iterable[Sent]) -> Iterator[Sighting]:
    """The events that an API server with this policy writes, in the order of the requests."""
    for number, each in enumerate(sent):
        for stage, value in events_of(each, str(number)):
            decision = evaluate(policy, each.request)
            if decision.level is Level.NONE or stage in decision.omit_stages:
                continue
            value["level"] = decision.level.value
            if decision.level in (Level.NONE, Level.METADATA) or stage == Stage.REQUEST_RECEIVED:
                value.pop("requestObject", None)
            yield Sighting(each.node, msgspec.json.decode(encode(value), type=Event))


def events_of(sent: Sent, audit_id: str) -> Iterator[tuple[Stage, dict[str, Any]]]:
    request = sent.request
    stages = [Stage.REQUEST_RECEIVED]
    if request.verb == "watch":
        stages.append(Stage.RESPONSE_STARTED)
    if not sent.is_open:
        stages.append(Stage.RESPONSE_COMPLETE)
    if request.user is None:
        stages = [Stage.RESPONSE_STARTED]
    for stage in stages:
        value = event(
            Caller(request.user or "", request.groups, "kubectl/v1.33.2", "10.9.0.4"),
            request.verb,
            uri_of(request),
            at(sent.seconds),
            reference=reference_of(request, sent.body),
            stage=stage,
            code=401 if request.user is None else 200,
            audit_id=audit_id,
            duration=timedelta(),
            impersonated=sent.impersonated,
            annotations=dict(sent.annotations) if stage == Stage.RESPONSE_COMPLETE else {},
            request_object=sent.body,
        )
        if stage == Stage.REQUEST_RECEIVED:
            value.pop("annotations", None)
        yield stage, value


def uri_of(request: Request) -> str:
    if not request.resource_request:
        return request.path
    root = f"/apis/{request.api_group}/v1" if request.api_group else "/api/v1"
    parts = ["namespaces", request.namespace] if request.namespace else []
    return "/".join((root, *parts, request.resource, *([request.name] if request.name else [])))


def reference_of(request: Request, body: Any) -> dict[str, str] | None:
    if not request.resource_request:
        return None
    name = request.name or (body or {}).get("metadata", {}).get("name", "")
    values = {
        "resource": request.resource,
        "namespace": request.namespace,
        "name": name,
        "apiGroup": request.api_group,
        "apiVersion": "v1",
    }
    return {key: value for key, value in values.items() if value}


def asked(
    log: Iterable[Sighting],
    question: Callable[..., Answer],
    need: Need,
    known: Known = ONE,
    time: TimeRange = ANY_TIME,
    damage: Damage = Damage(),  # noqa: B008 - immutable
) -> Outcome:
    evidence = Evidence(known.policy, time)
    answer = question(evidence.over(log), time)
    return judge(answer, need, known, Material(evidence, (), damage))


def read_secrets(log: Iterable[Sighting], known: Known = ONE, time: TimeRange = ANY_TIME) -> Outcome:
    return asked(log, questions.secrets, questions.secrets_need(), known, time)


def causes(outcome: Outcome) -> list[Cause]:
    return [doubt.cause for doubt in outcome.doubts]


ALICE_READS = Sent(person("alice@example.com", "get", "secrets", "prod", "db"), 5)
ANONYMOUS_READS = Sent(person("system:anonymous", "get", "secrets", "prod", "db"), 6)
LEASE = person("system:apiserver", "update", "leases", "kube-system", "apiserver-abc", "coordination.k8s.io")


def beats(start: float = 0, end: float = 40, node: str = "cp1") -> list[Sent]:
    return [Sent(LEASE, second, node) for second in range(int(start), int(end) + 1, 10)]


def writes(*seconds: float, node: str = "cp1") -> list[Sent]:
    return [Sent(person("bob", "update", "configmaps", "prod", "x"), second, node) for second in seconds]


def reads(*seconds: float, node: str = "cp1") -> list[Sent]:
    return [Sent(person("system:kube-scheduler", "list", "pods"), second, node) for second in seconds]


class TestADroppedRead:
    """Reproduced on a cluster: alice read a Secret under `low-write`, and an anonymous client asked for one."""

    sent = (*writes(0, 50, 90), ALICE_READS, ANONYMOUS_READS)
    policy = preset("low-write")

    def log(self) -> list[Sighting]:
        found = list(log_of(self.policy, sorted(self.sent, key=lambda each: each.seconds)))
        assert len(found) == 3
        return found

    def test_who_read_a_secret_cannot_be_known_under_the_policy(self) -> None:
        outcome = read_secrets(self.log(), Known(self.policy, 1))
        assert (outcome.verdict, outcome.exit_code) == (Verdict.UNKNOWN, 3)
        (doubt,) = outcome.doubts
        assert doubt.reason == "rule 2 of preset:low-write drops reads of Secrets"
        assert (doubt.rule, doubt.rule_text) == (2, "level None, verbs [get, list, watch]")
        assert doubt.remedy.splitlines() == [
            "  - level: Metadata",
            "    verbs: [get, list, watch]",
            "    resources:",
            '      - group: ""',
            "        resources: [secrets]",
        ]

    def test_nor_from_the_log_alone(self) -> None:
        outcome = read_secrets(self.log())
        assert outcome.verdict is Verdict.UNKNOWN
        (doubt,) = outcome.doubts
        assert "the log has no get, list or watch of anything by anybody" in doubt.reason
        assert "resources: [secrets]" in doubt.remedy

    def test_an_anonymous_request_cannot_be_known_either(self) -> None:
        for known in (ONE, Known(self.policy, 1)):
            assert asked(self.log(), questions.anonymous, questions.ANONYMOUS_NEED, known).verdict is Verdict.UNKNOWN

    def test_the_rule_that_is_offered_records_it(self) -> None:
        (doubt,) = read_secrets(self.log(), Known(self.policy, 1)).doubts
        text = preset_text("low-write")
        rules = text.index("  # Reads, of resources and of URLs.")
        mended = read_policy(f"{text[:rules]}{doubt.remedy}\n{text[rules:]}", "mended")
        log = list(log_of(mended, sorted(self.sent, key=lambda each: each.seconds)))
        assert read_secrets(log, Known(mended, 1)).verdict is Verdict.FOUND
        nobody = list(log_of(mended, writes(0, 50)))
        assert read_secrets(nobody, Known(mended, 1)).verdict is Verdict.NONE


class TestCertainlyNone:
    def log(self) -> list[Sighting]:
        return list(log_of(preset("standard"), [*beats(0, 60), *writes(70)]))

    def test_needs_policy_and_nodes(self) -> None:
        outcome = read_secrets(self.log(), Known(preset("standard"), 1))
        assert (outcome.verdict, outcome.exit_code, outcome.doubts) == (Verdict.NONE, 1, ())
        assert (outcome.first, outcome.last) == (at(0), at(70))

    def test_is_not_said_while_the_policy_is_unknown_although_the_log_has_reads(self) -> None:
        log = list(log_of(preset("minimal"), [*beats(), *reads(1, 30)]))
        outcome = read_secrets(log)
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.POLICY_UNKNOWN])
        assert "which policy was in force is not known" in outcome.doubts[0].reason

    @pytest.mark.parametrize(
        ("known", "reason"),
        [
            (Known(), "how many control-plane nodes there are is not known: only cp1 was looked at"),
            (Known(nodes=3), "there are events of 1 of 3 control-plane nodes"),
            (
                Known(nodes=2, node_names=("cp1", "cp2")),
                "there are events of 1 of 2 control-plane nodes: cp2 is missing",
            ),
        ],
    )
    def test_is_not_said_while_a_node_may_be_missing(self, known: Known, reason: str) -> None:
        outcome = read_secrets(self.log(), replace(known, policy=preset("standard")))
        assert outcome.verdict is Verdict.UNKNOWN
        assert [doubt.reason for doubt in outcome.doubts] == [reason]

    def test_a_node_whose_log_is_empty_is_missing(self) -> None:
        evidence = Evidence(preset("standard"))
        answer = questions.secrets(evidence.over(self.log()))
        outcome = judge(
            answer, questions.secrets_need(), Known(preset("standard"), 2), Material(evidence, ("cp2",), Damage())
        )
        assert causes(outcome) == [Cause.NODES, Cause.NODES]

    @pytest.mark.parametrize(
        ("time", "verdict"),
        [
            (TimeRange(at(0), at(70)), Verdict.NONE),
            (TimeRange(at(-50), at(120)), Verdict.NONE),
            (TimeRange(at(-70), None), Verdict.UNKNOWN),
            (TimeRange(None, at(140)), Verdict.UNKNOWN),
            (TimeRange(at(500), at(600)), Verdict.UNKNOWN),
        ],
    )
    def test_needs_logs_that_reach_over_the_time(self, time: TimeRange, verdict: Verdict) -> None:
        assert read_secrets(self.log(), Known(preset("standard"), 1), time).verdict is verdict

    def test_holds_from_the_first_event_unless_the_log_begins_earlier(self) -> None:
        known = Known(preset("standard"), 1)
        outcome = read_secrets(self.log(), known, TimeRange(at(-50), at(120)))
        assert (outcome.first, outcome.last) == (at(0), at(70))
        outcome = read_secrets(self.log(), known, TimeRange(at(5), at(65)))
        assert (outcome.verdict, outcome.first, outcome.last) == (Verdict.NONE, at(5), at(65))

    def test_a_silence_over_the_beginning_or_the_end_counts_as_a_whole(self) -> None:
        log = list(log_of(preset("standard"), [*beats(0, 20), *beats(100, 150), *beats(230, 250)]))
        outcome = read_secrets(log, Known(preset("standard"), 1), TimeRange(at(60), at(190)))
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.SILENCE, Cause.SILENCE])
        assert "over the beginning of the time" in outcome.doubts[0].reason

    def test_a_missing_part_that_is_too_short_for_a_silence_shows_in_the_heartbeat(self) -> None:
        sent = sorted([*beats(0, 40), *beats(90, 130), *writes(45, 85)], key=lambda each: each.seconds)
        outcome = read_secrets(list(log_of(preset("standard"), sent)), Known(preset("standard"), 1))
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.SILENCE])
        assert "did not renew its lease from 2025-02-21 00:00:40Z to 2025-02-21 00:01:30Z" in outcome.doubts[0].reason

    def test_nodes_of_several_clusters_are_not_those_of_one(self) -> None:
        sent = [*beats(node="prod/cp1"), *beats(node="test/cp1")]
        evidence = Evidence(preset("standard"))
        answer = questions.secrets(evidence.over(log_of(preset("standard"), sent)))
        material = Material(evidence, clusters=("prod", "test"))
        outcome = judge(answer, questions.secrets_need(), Known(preset("standard"), 2), material)
        assert [doubt.reason for doubt in outcome.doubts] == ["the events are of 2 clusters: prod and test"]

    def test_a_store_names_a_node_with_its_cluster(self) -> None:
        known = Known(preset("standard"), 2, ("cp1", "cp2"))
        sent = [*beats(node="prod/cp1"), *beats(node="prod/cp9")]
        outcome = read_secrets(list(log_of(preset("standard"), sent)), known)
        assert [doubt.reason for doubt in outcome.doubts] == ["there is no event of cp2"]

    def test_is_about_the_time_that_all_nodes_have(self) -> None:
        sent = [*beats(0, 100, "cp1"), *beats(60, 150, "cp2")]
        outcome = read_secrets(list(log_of(preset("standard"), sent)), Known(preset("standard"), 2))
        assert (outcome.verdict, outcome.first, outcome.last) == (Verdict.NONE, at(60), at(100))
        apart = [*beats(0, 50, "cp1"), *beats(60, 150, "cp2")]
        outcome = read_secrets(list(log_of(preset("standard"), apart)), Known(preset("standard"), 2))
        assert causes(outcome) == [Cause.TIME]

    @pytest.mark.parametrize("name", ["standard", "secrets"])
    def test_is_not_said_over_a_silence(self, name: str) -> None:
        sent = [*beats(0, 30), *writes(0, 30), *beats(200, 230), *writes(200, 230)]
        secret_writes = [Sent(person("bob", "update", "secrets", "prod", "x"), second) for second in (0, 30, 200, 230)]
        log = list(log_of(preset(name), sorted((*sent, *secret_writes), key=lambda each: each.seconds)))
        outcome = read_secrets(log, Known(preset(name), 1))
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.SILENCE])
        # Only where something is written all the time does the silence say that events are missing.
        assert ("events are missing" in outcome.doubts[0].reason) == (name == "standard")
        assert bool(outcome.doubts[0].remedy) == (name == "secrets")

    def test_is_not_said_when_the_log_was_written_under_another_policy(self) -> None:
        log = list(log_of(preset("minimal"), [*beats(), *reads(1, 30)]))
        outcome = read_secrets(log, Known(preset("standard"), 1))
        assert causes(outcome) == [Cause.OTHER_POLICY]
        assert "of preset:standard writes" not in outcome.doubts[0].reason
        assert "not what preset:standard writes" in outcome.doubts[0].reason

    def test_is_not_said_when_a_clock_was_set_back(self) -> None:
        log = list(log_of(preset("standard"), [*beats(0, 60), *beats(-100, 60)]))
        outcome = read_secrets(log, Known(preset("standard"), 1))
        assert causes(outcome) == [Cause.CLOCK]
        assert "go back by 160 seconds" in outcome.doubts[0].reason

    def test_is_not_said_of_a_log_that_is_damaged_in_part(self) -> None:
        need = questions.secrets_need()
        outcome = asked(self.log(), questions.secrets, need, Known(preset("standard"), 1), damage=Damage(2))
        assert causes(outcome) == [Cause.DAMAGE]

    def test_is_not_said_of_nothing(self) -> None:
        assert read_secrets([], Known(preset("standard"), 1)).verdict is Verdict.UNKNOWN


class TestFound:
    def test_is_found_whatever_else_is_not_known(self) -> None:
        log = list(log_of(preset("standard"), [*beats(), ALICE_READS]))
        outcome = read_secrets(sorted(log, key=lambda each: each.event.stage_timestamp), Known())
        assert (outcome.verdict, outcome.exit_code) == (Verdict.FOUND, 0)
        assert causes(outcome) == [Cause.POLICY_UNKNOWN, Cause.NODES]

    def test_says_what_may_be_missing(self) -> None:
        policy = Policy((PolicyRule(Level.NONE, namespaces=("dev",)), ALL), source="mine")
        outcome = read_secrets(list(log_of(policy, [*beats(0, 0), ALICE_READS])), Known(policy, 1))
        assert outcome.verdict is Verdict.FOUND
        assert [doubt.reason for doubt in outcome.doubts] == ["rule 1 of mine drops some reads of Secrets"]


class TestAnonymous:
    def ask(self, policy: Policy, *sent: Sent) -> Outcome:
        log = list(log_of(policy, (*beats(0, 0), *sent)))
        return asked(log, questions.anonymous, questions.ANONYMOUS_NEED, Known(policy, 1))

    def test_probes_are_not_what_is_looked_for(self) -> None:
        probe = Request("system:anonymous", groups_of("system:anonymous"), "get", False, path="/livez")
        assert self.ask(preset("minimal"), Sent(probe)).verdict is Verdict.NONE
        policy = Policy((PolicyRule(Level.NONE, non_resource_urls=("/livez*", "/readyz*", "/healthz*")), ALL))
        assert self.ask(policy).verdict is Verdict.NONE

    def test_a_refused_attempt_is(self) -> None:
        assert self.ask(preset("minimal"), ANONYMOUS_READS).verdict is Verdict.FOUND

    def test_a_failed_authentication_matches_no_rule_for_groups(self) -> None:
        policy = Policy((PolicyRule(Level.METADATA, user_groups=("system:unauthenticated",)), DROP), source="mine")
        failed = Sent(Request(None, (), "get", False, path="/api"))
        outcome = self.ask(policy, failed)
        assert outcome.verdict is Verdict.UNKNOWN
        doubt = outcome.doubts[0]
        assert doubt.reason.endswith("without an identity by users whose authentication failed")
        assert 'userGroups: ["system:authenticated"]' in doubt.remedy


def binding(role: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "x"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": "mallory"}],
    }


def binds(role: str, seconds: float = 5) -> Sent:
    return Sent(person("alice", "create", "clusterrolebindings", group=RBAC), seconds, body=binding(role))


class TestEscalations:
    def ask(self, policy: Policy, *sent: Sent) -> Outcome:
        log = list(log_of(policy, (*beats(0, 0), *sent)))
        return asked(log, questions.escalations, questions.ESCALATIONS_NEED, Known(policy, 1))

    def test_without_bodies_a_change_cannot_be_judged(self) -> None:
        outcome = self.ask(preset("minimal"), binds("cluster-admin"))
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.CONTENT])
        assert "level: RequestResponse" in outcome.doubts[0].remedy

    def test_with_bodies_it_can(self) -> None:
        assert self.ask(preset("standard"), binds("cluster-admin")).verdict is Verdict.FOUND
        assert self.ask(preset("standard"), binds("view")).verdict is Verdict.NONE

    def test_where_every_change_is_recorded_and_there_is_none_nobody_gave_anything(self) -> None:
        assert self.ask(preset("minimal")).verdict is Verdict.NONE
        assert self.ask(preset("secrets")).verdict is Verdict.UNKNOWN


def deprecated_use(user: str, resource: str = "endpoints") -> Sent:
    note = (("k8s.io/deprecated", "true"), ("k8s.io/removed-release", "1.40"))
    return Sent(person(user, "list", resource), 5, annotations=note)


class TestDeprecated:
    def ask(self, policy: Policy, *sent: Sent) -> tuple[Outcome, Any]:
        evidence = Evidence(policy)
        answer = questions.deprecated(evidence.over(log_of(policy, (*beats(0, 0), *sent))))
        return judge(answer, questions.DEPRECATED_NEED, Known(policy, 1), Material(evidence)), answer

    @pytest.mark.parametrize(
        "user",
        [
            "system:apiserver",
            "system:kube-controller-manager",
            "system:node:w1",
            "system:serviceaccount:kube-system:endpoint-controller",
        ],
    )
    def test_what_the_control_plane_itself_uses_is_not_for_you_to_mend(self, user: str) -> None:
        outcome, answer = self.ask(preset("minimal"), deprecated_use(user))
        assert outcome.verdict is Verdict.NONE
        assert (answer.uses, [use.user for use in answer.own]) == ((), [user])

    def test_what_others_use_is_found(self) -> None:
        outcome, answer = self.ask(preset("minimal"), deprecated_use("alice"), deprecated_use("system:apiserver"))
        assert outcome.verdict is Verdict.FOUND
        assert [use.user for use in answer.uses] == ["alice"]

    def test_standard_drops_nothing_that_is_or_was_deprecated(self) -> None:
        assert self.ask(preset("standard"))[0].verdict is Verdict.NONE
        assert self.ask(preset("low-write"))[0].verdict is Verdict.UNKNOWN


class TestGaps:
    def ask(self, sent: Sequence[Sent], policy: Policy, known: Known, over: float = 60) -> Outcome:
        evidence = Evidence(known.policy)
        answer = questions.gaps(evidence.over(log_of(policy, sent)), threshold=timedelta(seconds=over))
        return judge_gaps(answer, known, Material(evidence))

    def test_quiet_minutes_under_a_policy_without_a_heartbeat_are_no_gaps(self) -> None:
        policy = preset("low-write")
        sent = [*writes(0, 300)]
        for known in (ONE, Known(policy, 1)):
            outcome = self.ask(sent, policy, known)
            assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.SILENCE])
            assert "resources: [leases]" in outcome.doubts[0].remedy

    def test_a_silence_where_leases_are_renewed_is_a_gap(self) -> None:
        policy = preset("standard")
        for known in (ONE, Known(policy, 1)):
            assert self.ask([*beats(0, 40), *beats(200, 240)], policy, known).verdict is Verdict.FOUND

    def test_no_silence_is_no_gap_under_any_policy(self) -> None:
        for known in (ONE, Known(preset("low-write"), 1)):
            assert self.ask(writes(0, 50, 100), preset("low-write"), known).verdict is Verdict.NONE

    def test_without_the_number_of_nodes_another_one_may_have_gaps(self) -> None:
        assert self.ask(beats(), preset("standard"), Known(preset("standard"))).verdict is Verdict.UNKNOWN

    def test_silences_shorter_than_the_heartbeat_mean_nothing(self) -> None:
        policy = preset("standard")
        assert self.ask(beats(), policy, Known(policy, 1), over=5).verdict is Verdict.UNKNOWN
        assert self.ask(beats(), policy, Known(policy, 1), over=20).verdict is Verdict.NONE

    @pytest.mark.parametrize(
        ("name", "records"),
        [("standard", True), ("minimal", True), ("low-write", False), ("secrets", False), ("cis", False)],
    )
    def test_which_presets_have_a_heartbeat(self, name: str, records: bool) -> None:
        assert records_heartbeat(preset(name)) == records
        (lease,) = log_of(Policy((ALL,), (Stage.REQUEST_RECEIVED,)), beats(0, 0))
        assert is_heartbeat(lease.event)


class TestWho:
    def ask(self, policy: Policy, query: WhoQuery, *sent: Sent, known: Known | None = None) -> Outcome:
        known = known or Known(policy, 1)
        evidence = Evidence(known.policy)
        answer = questions.who(evidence.over(log_of(policy, (*beats(0, 0), *sent))), query)
        return judge(answer, who_need(query, answer.user), known, Material(evidence))

    deleted = WhoQuery(verbs=("delete",), name="app-config", namespace="prod", resource="configmaps")

    def test_a_deletion_that_the_policy_would_record_did_not_happen(self) -> None:
        for name in ("low-write", "standard", "minimal"):
            sent = writes(1) if name == "low-write" else []
            assert self.ask(preset(name), self.deleted, *sent).verdict is Verdict.NONE, name
        assert self.ask(preset("secrets"), self.deleted).verdict is Verdict.UNKNOWN

    def test_a_dropped_deletion_of_the_collection_may_have_hit_it(self) -> None:
        policy = Policy((PolicyRule(Level.NONE, verbs=("deletecollection",)), ALL))
        for name in ("app-config", "app-*"):
            assert self.ask(policy, replace(self.deleted, name=name)).verdict is Verdict.UNKNOWN

    def test_somebody_else_may_have_acted_as_the_user(self) -> None:
        policy = Policy((PolicyRule(Level.NONE, users=("bob",)), ALL))
        as_alice = Sent(person("bob", "delete", "pods", "prod", "x"), 1, impersonated="alice")
        outcome = self.ask(policy, WhoQuery(verbs=("delete",), user="alice"), as_alice)
        assert outcome.verdict is Verdict.UNKNOWN
        assert "by bob" in outcome.doubts[0].reason
        assert "users: [bob]" in outcome.doubts[0].remedy

    def test_a_built_in_resource_is_meant_where_its_name_is_given(self) -> None:
        query = WhoQuery(verbs=("create", "get"), resource="pods/exec", user="alice")
        sent = Sent(person("bob", "get", "configmaps", "prod", "x"), 1)
        assert self.ask(preset("standard"), query, sent).verdict is Verdict.NONE

    def test_a_creation_whose_name_the_api_server_chose_may_be_it(self) -> None:
        created = Sent(person("alice", "create", "configmaps", "prod"), 1)
        query = WhoQuery(verbs=("create",), name="web-x7k2p", resource="configmaps")
        outcome = self.ask(preset("minimal"), query, created)
        assert (outcome.verdict, causes(outcome)) == (Verdict.UNKNOWN, [Cause.CONTENT])
        assert self.ask(preset("minimal"), query).verdict is Verdict.NONE

    def test_reads_of_nodes_are_dropped_and_said(self) -> None:
        query = WhoQuery(verbs=("get",), resource="pods", name="web")
        outcome = self.ask(preset("standard"), query)
        assert outcome.verdict is Verdict.UNKNOWN
        assert "drops some such requests by nodes and service accounts of kube-system" in outcome.doubts[0].reason

    def test_an_open_watch_is_hidden_where_its_start_is_not_recorded(self) -> None:
        policy = Policy((ALL,), (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED), source="mine")
        query = WhoQuery(verbs=("watch",), resource="secrets", user="alice")
        watch = Sent(person("alice", "watch", "secrets"), 1, is_open=True)
        outcome = self.ask(policy, query, watch, *writes(2))
        assert outcome.verdict is Verdict.UNKNOWN
        assert "omits ResponseStarted, which hides requests that are still open" in outcome.doubts[0].reason
        assert outcome.doubts[0].advice == "Take ResponseStarted out of omitStages of the policy"


# Whatever the policy: "certainly none" is never said when a request that was looked for was dropped.

_USERS = (
    "alice",
    "system:apiserver",
    "system:kube-scheduler",
    "system:serviceaccount:prod:app",
    "system:serviceaccount:kube-system:job",
    "system:node:w1",
    "system:anonymous",
)
_GROUPS = (
    "dev",
    "system:authenticated",
    "system:nodes",
    "system:serviceaccounts",
    "system:serviceaccounts:prod",
    "system:serviceaccounts:kube-system",
    "system:unauthenticated",
)
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_RESOURCES = (("", "secrets"), ("", "configmaps"), ("", "endpoints"), (RBAC, "clusterrolebindings"), ("x.io", "w"))
_NAMESPACES = ("", "prod", "dev")
_PATHS = ("/api", "/livez", "/metrics", "/version", "/healthz/etcd")
_DEPRECATED = frozenset({"endpoints", "w"})


def some(values: Sequence[str], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


_entries = st.builds(
    GroupResources,
    group=st.sampled_from(("", RBAC, "x.io", "*")),
    resources=some(("secrets", "configmaps", "endpoints", "clusterrolebindings", "w", "*", "secrets/*"), 3),
    resource_names=some(("db", "app-config"), 1),
)
_rules = st.builds(
    PolicyRule,
    level=st.sampled_from(list(Level)),
    users=some(_USERS, 1),
    user_groups=some(_GROUPS, 1),
    verbs=some(_VERBS, 3),
    resources=st.lists(_entries, max_size=2).map(tuple),
    namespaces=some(_NAMESPACES, 2),
    omit_stages=st.lists(st.sampled_from(list(Stage)), max_size=1).map(tuple),
) | st.builds(PolicyRule, level=st.sampled_from(list(Level)), non_resource_urls=some(("/api*", "/livez*", "/metrics")))
_policies = st.builds(
    lambda rules, omitted, last: Policy((*rules, *last), omitted, source="drawn"),
    st.lists(_rules, max_size=3),
    st.lists(st.sampled_from(list(Stage)), max_size=1).map(tuple),
    # Most policies end with a rule for everything: without one hardly any log says anything for certain.
    st.sampled_from([(), (ALL,), (ALL,), (PolicyRule(Level.REQUEST_RESPONSE),)]),
)


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    user = draw(st.sampled_from((*_USERS, None)))
    own = () if user is None else groups_of(user)
    groups = (*own, *draw(some(("dev",), 1))) if user == "alice" else own
    if draw(st.integers(0, 4)) == 0:
        return Request(user, groups, "get", False, path=draw(st.sampled_from(_PATHS)))
    verb = draw(st.sampled_from(_VERBS))
    group, resource = draw(st.sampled_from(_RESOURCES))
    namespace = (
        "" if group == RBAC else draw(st.sampled_from(_NAMESPACES if verb in ("list", "watch") else ("prod", "dev")))
    )
    name = (
        "" if verb in ("list", "watch", "create", "deletecollection") else draw(st.sampled_from(("db", "app-config")))
    )
    return Request(user, groups, verb, True, group, "v1", resource, "", namespace, name)


@st.composite
def _sent(draw: st.DrawFn) -> Sent:
    request = draw(_requests())
    body = None
    if request.resource == "clusterrolebindings" and request.verb in ("create", "update"):
        body = binding("cluster-admin")
    is_deprecated = request.resource in _DEPRECATED
    return Sent(
        request,
        draw(st.integers(0, 50)),
        impersonated=draw(st.sampled_from((None, None, "carol"))) if request.user == "alice" else None,
        is_open=request.verb == "watch" and draw(st.booleans()),
        body=body,
        annotations=(("k8s.io/deprecated", "true"),) if is_deprecated else (),
    )


def _is_unauthenticated(request: Request) -> bool:
    return request.user in (None, "system:anonymous")


def _is_own(request: Request) -> bool:
    return request.user in ("system:apiserver", "system:kube-scheduler") or not {
        "system:nodes",
        "system:serviceaccounts:kube-system",
    }.isdisjoint(request.groups)


_WHO = WhoQuery(verbs=("delete",), name="app-config", namespace="prod", resource="configmaps")
_AS_CAROL = WhoQuery(verbs=("delete", "update"), user="carol")

_QUESTIONS: dict[str, tuple[Callable[..., Answer], Need, Callable[[Sent], bool]]] = {
    "secrets": (
        questions.secrets,
        questions.secrets_need(),
        lambda sent: sent.request.resource == "secrets" and sent.request.verb in ("get", "list", "watch"),
    ),
    "secrets of a namespace": (
        lambda log, time: questions.secrets(log, time, "prod"),
        questions.secrets_need("prod"),
        lambda sent: (
            sent.request.resource == "secrets"
            and sent.request.verb in ("get", "list", "watch")
            and sent.request.namespace in ("", "prod")
        ),
    ),
    "anonymous": (
        questions.anonymous,
        questions.ANONYMOUS_NEED,
        lambda sent: (
            _is_unauthenticated(sent.request)
            and (sent.request.resource_request or sent.request.path in ("/api", "/metrics"))
        ),
    ),
    "escalations": (
        questions.escalations,
        questions.ESCALATIONS_NEED,
        lambda sent: sent.body is not None and sent.request.user is not None,
    ),
    "deprecated": (
        questions.deprecated,
        questions.DEPRECATED_NEED,
        lambda sent: (
            bool(sent.annotations) and not sent.is_open and sent.request.user is not None and not _is_own(sent.request)
        ),
    ),
    "who": (
        lambda log, time: questions.who(log, replace(_WHO, time=time)),
        who_need(_WHO),
        lambda sent: (
            (sent.request.resource, sent.request.namespace) == ("configmaps", "prod")
            and (sent.request.verb, sent.request.name) in (("delete", "app-config"), ("deletecollection", ""))
        ),
    ),
    "who as somebody else": (
        lambda log, time: questions.who(log, replace(_AS_CAROL, time=time)),
        who_need(_AS_CAROL),
        lambda sent: sent.impersonated == "carol" and sent.request.verb in ("delete", "update"),
    ),
}


@st.composite
def _like(draw: st.DrawFn, name: str) -> Sent:
    """Requests near what the question looks for."""
    user = draw(st.sampled_from((*_USERS, None)))
    groups = () if user is None else groups_of(user)
    namespace = draw(st.sampled_from(("prod", "dev")))
    acts_alone = user in (None, "system:apiserver", "system:kube-scheduler", "system:node:w1")

    def about(verb: str, group: str, resource: str, named: str = "") -> Request:
        return Request(user, groups, verb, True, group, "v1", resource, "", namespace, named)

    match name:
        case "escalations":
            return Sent(about("create", RBAC, "clusterrolebindings"), 5, body=binding("cluster-admin"))
        case "deprecated":
            note = (("k8s.io/deprecated", "true"),)
            return Sent(
                about(draw(st.sampled_from(_VERBS)), *draw(st.sampled_from((("", "endpoints"), ("x.io", "w"))))),
                5,
                annotations=note,
            )
        case "who" | "who as somebody else":
            verb, named = draw(st.sampled_from((("delete", "app-config"), ("deletecollection", ""), ("update", "db"))))
            others = (None,) if acts_alone else (None, "carol")
            return Sent(about(verb, "", "configmaps", named), 5, impersonated=draw(st.sampled_from(others)))
        case "anonymous" if draw(st.booleans()):
            return Sent(Request(user, groups, "get", False, path=draw(st.sampled_from(_PATHS))), 5)
    verb = draw(st.sampled_from(("get", "list", "watch")))
    is_open = verb == "watch" and draw(st.booleans())
    return Sent(about(verb, "", "secrets", "db" if verb == "get" else ""), 5, is_open=is_open)


_TARGETS = (
    Sent(person("alice", "get", "secrets", "prod", "db"), 9),
    Sent(person("alice", "create", "clusterrolebindings", group=RBAC), 9, body=binding("cluster-admin")),
    Sent(person("alice", "delete", "configmaps", "prod", "app-config"), 9, impersonated="carol"),
    Sent(person("system:anonymous", "list", "w", "prod", group="x.io"), 9),
    deprecated_use("alice"),
)
_EVERYTHING = Policy((PolicyRule(Level.REQUEST_RESPONSE),))


@st.composite
def _against(draw: st.DrawFn, request: Request) -> Policy:
    """A policy that records everything but what is like this request in the things that are drawn."""
    entry = GroupResources(request.api_group, (request.resource,), (request.name,) if request.name else ())
    fields: dict[str, Any] = {"verbs": (request.verb,)}
    if request.user is not None:
        fields |= {"users": (request.user,), "user_groups": request.groups[-1:]}
    if request.resource_request:
        fields |= {"namespaces": (request.namespace,), "resources": (entry,)}
    else:
        fields |= {"non_resource_urls": (request.path,)}
    kept = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    chosen = {key: fields[key] for key in kept}
    hidden = draw(st.sampled_from((None, None, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)))
    omitted = (Stage.REQUEST_RECEIVED, hidden) if hidden else ()
    level = Level.METADATA if hidden else Level.NONE
    earlier = draw(st.sampled_from([(), (PolicyRule(Level.METADATA, users=("bob",)),)]))
    return Policy((*earlier, PolicyRule(level, omit_stages=omitted, **chosen), ALL), source="drawn")


_seen: Counter[tuple[str, Verdict]] = Counter()


@pytest.mark.parametrize("name", _QUESTIONS)
def test_certainly_none_is_never_said_when_something_was_dropped(name: str) -> None:
    question, need, is_looked_for = _QUESTIONS[name]

    @settings(max_examples=100, deadline=None)
    @example(_EVERYTHING, list(_TARGETS))
    @example(_EVERYTHING, writes(1))
    @given(_policies, st.lists(_sent() | st.sampled_from(_TARGETS), max_size=6))
    def check(policy: Policy, sent: list[Sent]) -> None:
        log = list(log_of(policy, sorted(sent, key=lambda each: each.seconds)))
        verdict = asked(log, question, need, Known(policy, 1)).verdict
        _seen[name, verdict] += 1
        if any(map(is_looked_for, sent)):
            assert verdict is not Verdict.NONE
        for each in log:
            request = to_request(each.event)
            assert evaluate(policy, request).level == each.event.level, "the log is not what the policy writes"

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def check_one(data: st.DataObject) -> None:
        each = data.draw(_like(name) | _sent())
        policy = data.draw(_against(each.request))
        verdict = asked(list(log_of(policy, [*writes(1), each])), question, need, Known(policy, 1)).verdict
        assert verdict is not Verdict.NONE or not is_looked_for(each)

    check()
    check_one()
    assert _seen[name, Verdict.NONE], "the check would hold of a question that never answers"
    assert _seen[name, Verdict.FOUND]


@st.composite
def _asking_for(draw: st.DrawFn, sent: Sent) -> WhoQuery:
    """A query that fits the request, with any of its fields open or with a `*`."""
    request = sent.request

    def field(value: str) -> str:
        return draw(st.sampled_from(("", value, f"{value[:2]}*"))) if value else ""

    verb = "delete" if request.verb == "deletecollection" else request.verb
    resource = f"{request.resource}.{request.api_group}" if request.api_group else request.resource
    return WhoQuery(
        verbs=draw(st.sampled_from(((), (verb,), (request.verb,), (f"{verb[:2]}*",)))),
        name=field(request.name or "app-config"),
        namespace=field(request.namespace),
        resource=field(draw(st.sampled_from((resource, request.resource)))),
        user=field(draw(st.sampled_from((request.user or "", sent.impersonated or "")))),
        everything=True,
    )


def _answers_none(query: WhoQuery, policy: Policy, sent: Iterable[Sent]) -> bool:
    evidence = Evidence(policy)
    answer = questions.who(evidence.over(log_of(policy, sent)), query)
    return judge(answer, who_need(query, answer.user), Known(policy, 1), Material(evidence)).verdict is Verdict.NONE


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_who_is_certain_of_none_only_where_every_fitting_request_is_recorded(data: st.DataObject) -> None:
    sent = data.draw(_sent() | _like("who") | st.sampled_from(_TARGETS))
    query = data.draw(_asking_for(sent))
    policy = data.draw(_against(sent.request))
    fits = questions.who(log_of(_EVERYTHING, [sent]), query).found
    assert not (fits and _answers_none(query, policy, [*writes(1), sent]))


def test_who_can_be_certain() -> None:
    query = WhoQuery(verbs=("delete",), name="app-config", namespace="prod", user="alice")
    assert _answers_none(query, Policy((PolicyRule(Level.NONE, namespaces=("dev",)), ALL)), writes(1))
