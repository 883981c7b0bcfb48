"""What holds for every detection of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from auditlog.annotations.read import catalogue
from auditlog.detections.annotated import Form, annotated_form, counts, forms, written_keys
from auditlog.detections.callers import Callers, logql_filters, other_callers, required_group
from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.logql import log_query, value_query
from auditlog.detections.model import Detection, Events, Metrics, Requests, Severity, Unannotated
from auditlog.observe.alloy import STRUCTURED_METADATA
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import SUPPORTED_MINORS, GroupResources, Level, Policy, PolicyRule
from auditlog.policy.partition import RESOURCE_VERBS
from auditlog.policy.phrase import parse_phrase
from auditlog.policy.resources import resource_in_group
from tests.unit.detections import annotated_examples
from tests.unit.detections.events import Example
from tests.unit.detections.examples import FIRES, QUIET

ON_EVENTS = tuple(each for each in DETECTIONS if isinstance(each.source, Events))
LABELS = {"job", "cluster", "node"}
FIELDS = set(STRUCTURED_METADATA)


def named(detection: Detection) -> str:
    return detection.id


def events_of(detection: Detection) -> Events:
    assert isinstance(detection.source, Events)
    return detection.source


def test_ids_and_alert_names_are_unique_and_well_formed() -> None:
    assert len({each.id for each in DETECTIONS}) == len({each.alert for each in DETECTIONS}) == len(DETECTIONS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each.id) for each in DETECTIONS)
    assert find("secret-sweep") is not None
    assert find("no-such-thing") is None


def test_the_signals_of_the_seed_are_all_there() -> None:
    """The article on policy, backends and forensics, "Signals to monitor" and its forensic questions."""
    assert {each.id for each in DETECTIONS} >= {
        "no-events-from-node",
        "anonymous-request-rate",
        "anonymous-access-succeeded",
        "audit-disk-usage",
        "rbac-change-rate",
        "cluster-admin-bound",
        "webhook-delivery-failures",
        "secret-read-by-person",
        "deprecated-api-used",
    }


@pytest.mark.parametrize("detection", DETECTIONS, ids=named)
def test_what_people_read_is_whole(detection: Detection) -> None:
    assert all(text.endswith(".") for text in (detection.meaning, detection.false_positives))
    assert not detection.title.endswith(".")


@pytest.mark.parametrize("detection", DETECTIONS, ids=named)
def test_a_summary_names_only_labels_that_the_alert_has(detection: Detection) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", detection.summary))
    source = detection.source
    if isinstance(source, Events | Unannotated):
        assert used <= {*source.by, "cluster"}
    elif isinstance(source, Metrics):
        kept = {name for group in re.findall(r"by \(([^)]*)\)", source.expression) for name in group.split(", ")}
        assert used <= kept | {"instance", "mountpoint"}
    else:
        assert used <= LABELS


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_alerts_are_told_apart_by_fields_that_there_are(detection: Detection) -> None:
    source = events_of(detection)
    made = set(re.findall(r"json (\w+)=", " ".join(source.fields)))
    assert set(source.by) <= FIELDS | made
    filtered = re.findall(r"\| \(*(\w+)(?:=|!)|and (\w+)(?:=|!)", log_query(source))
    assert {name for pair in filtered for name in pair if name} <= FIELDS | made


def named_resources(requests: tuple[Requests, ...]) -> Iterator[tuple[GroupResources, str, str]]:
    for each in requests:
        for entry in each.resources:
            for resource in entry.resources:
                name, _, subresource = resource.partition("/")
                yield entry, name, subresource


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_requests_are_such_as_an_api_server_gets(detection: Detection) -> None:
    source = events_of(detection)
    for each in source.requests:
        assert each.resources
        assert set(each.verbs) <= set(RESOURCE_VERBS)
    for entry, name, subresource in named_resources(source.requests):
        served = [resource_in_group(entry.group, name, minor) for minor in SUPPORTED_MINORS]
        assert any(each and (not subresource or subresource in each.subresources) for each in served), (entry, name)


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_bodies_are_asked_for_exactly_where_they_are_looked_at(detection: Detection) -> None:
    source = events_of(detection)
    outside = ("requestURI", "impersonatedUser", "k8s.io/deprecated")
    looks_at_bodies = any(not any(word in line for word in outside) for line in source.lines)
    assert looks_at_bodies == any(each.level > Level.METADATA for each in source.requests)


def test_examples_are_for_every_detection_on_events() -> None:
    assert set(FIRES) == set(QUIET) == {each.id for each in ON_EVENTS}
    assert all(FIRES.values())
    assert all(QUIET.values())


def asked_level(source: Events, example: Example) -> Level:
    """The level that the detection asks for of this request; None when it does not ask for it."""
    if not _passes(logql_filters(source.callers), example.request.user or ""):
        return Level.NONE
    rules = (
        PolicyRule(each.level, verbs=each.verbs, resources=each.resources, namespaces=each.namespaces)
        for each in source.requests
    )
    return evaluate(Policy(tuple(rules)), example.request).level


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_what_fires_is_what_the_detection_asks_of_a_policy(detection: Detection) -> None:
    """Else the cross-check would call a policy good that drops what the query looks for."""
    source = events_of(detection)
    for example in FIRES[detection.id]:
        asked = asked_level(source, example)
        if source.open and asked is Level.NONE:
            continue
        assert Level(example.level) >= asked > Level.NONE, example
        assert example.stage in source.stages


def lets_through(line_filter: str, line: str) -> bool:
    """Loki's line filters, with the regular expressions of RE2, which those used here share with Python."""
    operator, quote, pattern = line_filter[:2], line_filter[3], line_filter[4:-1]
    assert quote == line_filter[-1] == "`"
    found = pattern in line if "=" in operator else re.search(pattern, line) is not None
    return found != operator.startswith("!")


def would_count(source: Events, example: Example) -> bool:
    """Whether the query counts an example, as far as lines, callers, requests, codes and three fields tell."""
    for each in source.fields:
        match = re.fullmatch(r'(name|userAgent|groups)=~"(.*)"', each)
        value = {
            "name": example.name or example.request.name,
            "userAgent": example.agent,
            "groups": ",".join(example.request.groups),
        }
        if match and not re.fullmatch(match[2].replace("\\\\", "\\"), value[match[1]]):
            return False
    asked = source.open or asked_level(source, example) > Level.NONE
    is_caller = _passes(logql_filters(source.callers), example.request.user or "")
    is_final = example.stage in source.stages and re.fullmatch(source.codes or ".*", str(example.code)) is not None
    lines = [line for _, line in example.lines()]
    return asked and is_caller and is_final and all(lets_through(each, lines[0]) for each in source.lines)


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_lines_of_what_fires_pass_the_filters(detection: Detection) -> None:
    """A real Loki has the last word (tests/observability); this one answers at once."""
    source = events_of(detection)
    for example in FIRES[detection.id]:
        assert would_count(source, example), example


@pytest.mark.parametrize(
    "detection",
    [each for each in ON_EVENTS if not each.threshold and not any("json " in line for line in events_of(each).fields)],
    ids=named,
)
def test_lines_of_what_must_not_fire_do_not(detection: Detection) -> None:
    source = events_of(detection)
    for example in QUIET[detection.id]:
        assert not would_count(source, example), example


@pytest.mark.parametrize("detection", ON_EVENTS, ids=named)
def test_a_detection_that_looks_for_a_key_sees_json_patches_or_says_what_it_does_not_see(detection: Detection) -> None:
    source = events_of(detection)
    if any('"path":"' in line and '"value":' in line for line in source.lines):
        assert source.unseen


ANNOTATED = tuple(each for each in ON_EVENTS if events_of(each).annotated is not None)


def test_every_detection_that_looks_at_bodies_has_a_form_that_reads_an_annotation_of_the_catalogue() -> None:
    with_bodies = [
        each for each in ON_EVENTS if any(asked.level > Level.METADATA for asked in events_of(each).requests)
    ]
    assert list(ANNOTATED) == with_bodies
    written = written_keys(catalogue())
    assert all(Form.ANNOTATIONS in forms(events_of(each), written) for each in ANNOTATED)
    assert all(list(forms(events_of(each), frozenset())) == [Form.BODIES] for each in ANNOTATED)
    assert set(annotated_examples.FIRES) == set(annotated_examples.QUIET) == {each.id for each in ANNOTATED}


@pytest.mark.parametrize("detection", ANNOTATED, ids=named)
def test_the_form_that_reads_an_annotation_fires_at_metadata_and_stays_silent(detection: Detection) -> None:
    source = events_of(detection)
    annotated = source.annotated
    assert annotated is not None
    form = annotated_form(source, annotated)
    assert {each.level for each in form.requests} == {Level.METADATA}
    for example in annotated_examples.FIRES[detection.id]:
        assert example.level == "Metadata"
        assert would_count(form, example), example
        assert counts(annotated, example.annotations), example
    for example in annotated_examples.QUIET[detection.id]:
        assert not (would_count(form, example) and counts(annotated, example.annotations)), example


CALLERS = (
    "alice[developers]",
    "kubernetes-admin[kubeadm:cluster-admins]",
    "kubernetes-super-admin[system:masters]",
    "system:anonymous",
    "system:apiserver[system:masters]",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "system:node:worker-1",
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:ci:deployer",
    "system:serviceaccount:kube-system-tools:a",
    "-",
)


def _passes(filters: tuple[str, ...], user: str) -> bool:
    """Three comparisons of LogQL on one field, which Loki anchors on both sides."""
    for each in filters:
        match = re.fullmatch(r'user(=~|!~|=|!=)"(.*)"', each)
        assert match is not None, each
        equal = re.fullmatch(match[2], user) is not None if "~" in match[1] else user == match[2]
        if equal == match[1].startswith("!"):
            return False
    return True


@pytest.mark.parametrize("callers", Callers)
def test_callers_are_the_same_in_logql_and_in_a_policy(callers: Callers) -> None:
    """Asked of a policy that names every user, every group, and users and groups apart."""
    requests = [parse_phrase(f"{caller} get secrets default/a") for caller in CALLERS]
    by_user = [PolicyRule(Level.METADATA, users=(request.user,)) for request in requests if request.user]
    groups = dict.fromkeys(group for request in requests for group in request.groups)
    by_group = [PolicyRule(Level.METADATA, user_groups=(group,)) for group in groups]
    for policy_rules in (by_user, by_group, by_user + by_group):
        asked = Policy(
            (
                *other_callers(callers, policy_rules),
                PolicyRule(Level.METADATA, user_groups=required_group(callers)),
            )
        )
        for caller, request in zip(CALLERS, requests, strict=True):
            in_policy = evaluate(asked, request).level is not Level.NONE
            in_logql = _passes(logql_filters(callers), request.user or "")
            if policy_rules is by_group:
                # A rule for groups cannot tell every user apart; whom LogQL counts must be asked for.
                assert in_policy or not in_logql, (callers, caller)
            else:
                assert in_policy == in_logql, (callers, caller)


def test_equal_requests_with_several_levels_are_one_part_of_the_query() -> None:
    query = value_query(events_of(_detection("cluster-admin-bound")), "prod")
    assert query.count('verb=~"create|update|patch"') == 1


def test_users_that_a_stack_ignores_are_left_out_by_their_whole_name() -> None:
    source = events_of(_detection("exec-session"))
    assert log_query(source, "prod", ['o"hara', "bob"]).endswith('| user!="o\\"hara" | user!="bob"')


def test_only_what_cannot_wait_is_critical() -> None:
    critical = sum(each.severity is Severity.CRITICAL for each in DETECTIONS)
    assert 0 < critical < len(DETECTIONS) / 2


def _detection(detection_id: str) -> Detection:
    found = find(detection_id)
    assert found is not None
    return found
