"""The questions, asked of Loki: the same answers as from files, and clear words where it does not answer."""

from __future__ import annotations

import base64
import html
import json
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditlog.cli import main
from auditlog.events.loki import LokiAccess, LokiClient, LokiError, store
from auditlog.events.loki.filters import who_filter
from auditlog.events.loki.store import LokiStore
from auditlog.events.questions import WhoQuery
from auditlog.events.reading import DamageLog
from tests.unit.events.fake_loki import FakeLoki, certificate_and_key, serve
from tests.unit.events.generate import ALICE, ANONYMOUS, BOB, START, Caller, encode, event, lines
from tests.unit.events.incident import FIRST, SECOND, incident

RBAC = "rbac.authorization.k8s.io"
SELECTOR = '{job="kubernetes-audit"}'
SINCE, UNTIL = "2025-02-20T23:00:00Z", "2025-02-21T02:00:00Z"


def people() -> list[bytes]:
    """What people did on the first node, with an hour of silence in it."""
    config = {"resource": "configmaps", "namespace": "prod", "name": "app-config", "apiVersion": "v1"}
    secret = {"resource": "secrets", "namespace": "prod", "name": "db", "apiVersion": "v1"}
    binding = {"resource": "clusterrolebindings", "name": "x", "apiGroup": RBAC, "apiVersion": "v1"}
    role = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "bob"}]}
    old = {"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.40"}
    late = START + timedelta(hours=1)
    collection = {"resource": "configmaps", "namespace": "prod", "apiVersion": "v1"}
    return [
        encode(event(ALICE, "delete", "/api/v1/namespaces/prod/configmaps/app-config", START, reference=config)),
        encode(event(BOB, "deletecollection", "/api/v1/namespaces/prod/configmaps", START, reference=collection)),
        encode(event(BOB, "get", "/api/v1/namespaces/prod/secrets/db", START, reference=secret, impersonated="carol")),
        encode(event(ANONYMOUS, "get", "/metrics", START, code=403)),
        encode(
            event(
                ALICE,
                "create",
                f"/apis/{RBAC}/v1/clusterrolebindings",
                late,
                reference=binding,
                response_object=role,
                level="RequestResponse",
                annotations=old,
            )
        ),
    ]


LOG = [
    *(("cp1", line.rstrip(b"\n")) for line in people()),
    *(("cp2", line.rstrip(b"\n")) for line in lines(7, 600, seconds_between=0.4)),
]
"""Two nodes; the second is busy for a few minutes."""


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with serve(LOG) as fake:
        yield fake


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for node in ("cp1", "cp2"):
        folder = tmp_path / node
        folder.mkdir()
        (folder / "audit.log").write_bytes(b"".join(line + b"\n" for name, line in LOG if name == node))
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main([*arguments, "--json", "--since", SINCE, "--until", UNTIL])
    written = capsys.readouterr()
    assert written.err == ""
    return code, json.loads(written.out.replace("test/cp", "cp"))


def in_milliseconds(value: Any) -> Any:
    """Loki tells how far events reach in milliseconds."""
    text = re.sub(
        r"(T\d\d:\d\d:\d\d)(\.\d+)?Z", lambda m: m[1] + (m[2] or ".")[:4].ljust(4, "0") + "Z", json.dumps(value)
    )
    text = re.sub(r'("(?:silent_seconds|seconds)": \d+)(\.\d+)?', r"\1", text)
    return json.loads(text)


@pytest.mark.parametrize(
    "question",
    [
        ["who", "--verb", "delete", "--name", "app-config"],
        ["who", "--verb", "del*", "--user", "alice@*"],
        ["who", "--verb", "read", "--resource", "Secret"],
        ["who", "--name", "db"],
        ["who", "--all", "--limit", "5"],
        ["who", "--user", "carol"],
        ["who", "--resource", "secrets", "--namespace", "prod"],
        ["who", "--resource", "pods/*"],
        ["who", "--limit", "5"],
        ["gaps"],
        ["gaps", "--over", "600"],
        ["gaps", "--over", "2"],
        ["anonymous"],
        ["escalations"],
        ["secrets"],
        ["secrets", "--namespace", "prod"],
        ["deprecated"],
    ],
    ids=" ".join,
)
def test_the_answer_is_the_same_as_from_files(
    capsys: pytest.CaptureFixture[str], loki: FakeLoki, files: Path, question: list[str]
) -> None:
    from_files = answer(capsys, *question, str(files))
    from_loki = answer(capsys, *question, "--loki", loki.url)
    assert from_loki[0] == from_files[0]
    assert in_milliseconds(from_loki[1]["answer"]) == in_milliseconds(from_files[1]["answer"])


def test_an_answer_of_many_pages_has_every_event_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, loki: FakeLoki
) -> None:
    monkeypatch.setattr(store, "PAGE", 17)
    _, whole = answer(capsys, "who", "--all", "--limit", "100000", "--loki", loki.url)
    ids = [each["audit_id"] for each in whole["answer"]["matches"]]
    stages = {json.loads(line)["auditID"] for _, line in LOG}
    assert sorted(set(ids)) == sorted(stages)
    assert len([path for path, parameters, _ in loki.requests if "limit" in parameters]) > 30


def test_an_event_that_loki_holds_in_two_shards_of_a_stream_is_given_once(
    monkeypatch: pytest.MonkeyPatch, loki: FakeLoki
) -> None:
    monkeypatch.setattr(store, "PAGE", 17)
    range_of_time = datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL)
    asked = LokiStore(LokiClient(LokiAccess(loki.url)), SELECTOR, *range_of_time)
    once = list(asked.read("", DamageLog()))
    loki.lines.extend(loki.lines.copy())
    assert list(asked.read("", DamageLog())) == once
    assert len(once) == len(LOG)


def test_events_of_one_moment_that_do_not_fit_a_page_are_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PAGE", 10)
    same = [("cp1", encode(event(ALICE, "get", f"/api/v1/nodes/{number}", START)).strip()) for number in range(30)]
    with serve(same) as fake:
        assert main(["who", "--since", SINCE, "--until", UNTIL, "--loki", fake.url]) == 2
    assert "more than 10 events at 2025-02-21T00:00:00.004000+00:00; narrow the question" in capsys.readouterr().err


def test_pages_shrink_where_lines_are_too_long_for_loki(capsys: pytest.CaptureFixture[str], loki: FakeLoki) -> None:
    loki.largest_answer = 300
    _, value = answer(capsys, "who", "--verb", "delete", "--name", "app-config", "--loki", loki.url)
    assert len(value["answer"]["matches"]) == 1
    assert [parameters["limit"] for _, parameters, _ in loki.requests if "limit" in parameters] == [
        "1000",
        "500",
        "250",
    ]


def test_an_answer_that_never_fits_ends_with_what_loki_says(capsys: pytest.CaptureFixture[str], loki: FakeLoki) -> None:
    loki.largest_answer = 0
    assert main(["who", "--loki", loki.url]) == 2
    assert "trying to send message larger than max" in capsys.readouterr().err


def test_lines_that_are_no_events_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    broken = b'{"auditID":"x","stageTimestamp":"2025-02-21T00:00:00.000000Z"}'
    with serve([("cp1", broken)]) as fake:
        _, value = answer(capsys, "who", "--loki", fake.url)
    damage = value["reading"]["damage"]
    assert damage["count"] == 1
    assert damage["examples"][0]["place"] == "cp1 at 2025-02-21T00:00:00+00:00"
    assert "not an audit event" in damage["examples"][0]["reason"]


def test_a_node_that_loki_knows_from_before_and_silence_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with serve([("cp1", people()[0].strip())]) as fake:
        assert main(["who", "-o", "wide", "--loki", fake.url]) == 3
    text = capsys.readouterr().out
    assert "test/cp1: the log has no event at all." in text
    assert "Note: the last 24 hours were asked for; --since says otherwise." in text
    assert f"Note: Loki has no event of {SELECTOR} in this time: nothing is known." in text


def test_credentials_tenant_and_cluster_go_where_they_belong(loki: FakeLoki, tmp_path: Path) -> None:
    password, token = tmp_path / "password", tmp_path / "token"
    password.write_text("s3cret\n")
    token.write_text("t0ken\n")
    options = ["--loki", loki.url, "--tenant", "audit", "--cluster", "prod"]
    main(["who", *options, "--loki-user", "reader", "--loki-password-file", str(password)])
    path, parameters, headers = loki.requests[0]
    assert path == "/loki/api/v1/query_range"
    assert parameters["query"] == '{job="kubernetes-audit", cluster=`prod`}'
    assert headers["X-Scope-Orgid"] == "audit"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"reader:s3cret").decode()
    loki.requests.clear()
    main(["who", *options, "--loki-token-file", str(token), "--loki-selector", '{app="audit"}'])
    assert loki.requests[0][2]["Authorization"] == "Bearer t0ken"
    assert loki.requests[0][1]["query"] == '{app="audit", cluster=`prod`}'


def test_a_busy_loki_is_asked_again(monkeypatch: pytest.MonkeyPatch, loki: FakeLoki) -> None:
    paused: list[float] = []
    monkeypatch.setattr("auditlog.events.loki.client.time.sleep", paused.append)
    loki.refusals = [(429, "too many outstanding requests"), (503, "starting")]
    LokiClient(LokiAccess(loki.url)).label_sets(SELECTOR, 0, 1)
    assert paused == [1.0, 3.0]
    loki.refusals = [(503, "down")] * 3
    with pytest.raises(LokiError, match="answers 503: down"):
        LokiClient(LokiAccess(loki.url)).label_sets(SELECTOR, 0, 1)


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (400, "parse error at line 1", "answers 400: parse error at line 1"),
        (401, "no org id", "answers 401: no org id; --tenant, --loki-user or --loki-token-file"),
        (403, "", "answers 403: without a reason; these credentials or this --tenant may not read"),
        (404, "page not found", "answers 404: page not found; --loki takes the address up to /loki/api"),
        (200, "<html>", "does not answer as Loki does"),
    ],
)
def test_a_refusal_is_told_in_lokis_words(
    capsys: pytest.CaptureFixture[str], loki: FakeLoki, code: int, text: str, message: str
) -> None:
    loki.refusals = [(code, text)]
    assert main(["who", "--loki", loki.url]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"auditlog: {loki.url}/loki/api/v1/query_range ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_credentials_do_not_follow_a_redirect(capsys: pytest.CaptureFixture[str], loki: FakeLoki) -> None:
    with serve() as elsewhere:
        loki.redirect = f"{elsewhere.url}/login"
        assert main(["who", "--loki", loki.url]) == 2
        assert elsewhere.requests == []
    assert f"redirects to {elsewhere.url}/login; allowed: Loki's own address" in capsys.readouterr().err


def test_an_address_where_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main(["who", "--loki", f"http://127.0.0.1:{port}"]) == 2
    assert "/loki/api/v1/query_range cannot be reached: [Errno 111] Connection refused" in capsys.readouterr().err


def test_a_certificate_of_an_unknown_authority_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    certificate, key = certificate_and_key(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve(LOG[:1], context) as fake:
        assert main(["who", "--loki", fake.url]) == 2
        assert "certificate verify failed" in capsys.readouterr().err
        assert main(["who", "--loki", fake.url, "--loki-ca", str(certificate), "--since", SINCE, "--until", UNTIL]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loki", "loki:3100"], "--loki is 'loki:3100'; allowed: an address such as https://"),
        (["--loki", "http://me:pw@loki"], "--loki names credentials for loki; allowed: --loki-user"),
        (["--loki", "http://loki/loki/api/v1"], "allowed: the address up to /loki/api/, without it"),
        (["--loki", "http://loki", "audit.log"], "--loki and LOG (audit.log) are both given"),
        (["--loki", "http://loki", "--loki-user", "me"], "are needed together"),
        (
            ["--loki", "http://loki", "--loki-user", "a", "--loki-password-file", "b", "--loki-token-file", "c"],
            "--loki-user and --loki-token-file are both given",
        ),
        (["--loki", "http://loki", "--loki-token-file", "/no/such"], "--loki-token-file /no/such: No such file"),
        (["--loki", "http://loki", "--loki-token-file", "/dev/null"], "the first line is empty"),
        (["--loki", "https://loki", "--loki-ca", "/no/such"], "--loki-ca /no/such: No such file or directory"),
        (["--loki", "https://loki", "--loki-ca", "/dev/null"], "--loki-ca /dev/null: "),
        (["--loki", "http://loki", "--loki-selector", "{}"], "--loki-selector is '{}'; allowed: labels in braces"),
        (["--loki", "http://loki", "--cluster", "a`b"], "--cluster is 'a`b'"),
    ],
)
def test_wrong_options_are_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["who", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_gaps_of_less_than_a_second_are_not_asked_of_loki(capsys: pytest.CaptureFixture[str], loki: FakeLoki) -> None:
    assert main(["gaps", "--over", "0.5", "--loki", loki.url]) == 2
    assert "--over is 0.5; of Loki, gaps of 1 second or more can be asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (WhoQuery(), ""),
        (WhoQuery(verbs=("delete",), name="app-config"), "|= `delete` |~ `app\\-config|deletecollection`"),
        (WhoQuery(user="alice@*"), "|= `alice@`"),
        (WhoQuery(user="*"), ""),
        (WhoQuery(user='we"ird'), ""),
        (WhoQuery(resource="deployments.apps/scale", namespace="prod"), "|= `prod` |= `deployments`"),
    ],
)
def test_a_filter_holds_only_what_the_line_writes_as_it_is(query: WhoQuery, expected: str) -> None:
    assert who_filter(query) == expected


def test_a_long_time_is_asked_in_parts_that_loki_allows(loki: FakeLoki) -> None:
    since, until = START - timedelta(days=20), START + timedelta(days=1)
    found = LokiStore(LokiClient(LokiAccess(loki.url)), SELECTOR, since, until).coverage()
    matrices = [parameters for path, parameters, _ in loki.requests if "step" in parameters]
    assert len(matrices) == 8
    assert {node.node: node.events for node in found.nodes} == {"test/cp1": 5, "test/cp2": 600}
    assert found.nodes[0].first == START.replace(microsecond=4000)


def test_reading_tells_how_far_it_is(loki: FakeLoki) -> None:
    seen: list[int] = []
    whole = LokiStore(LokiClient(LokiAccess(loki.url)), SELECTOR, START, datetime(2025, 2, 22, tzinfo=UTC))
    events = list(whole.read("", DamageLog(), lambda count: seen.append(count)))
    assert len(events) == len(seen) == len(LOG)


def test_a_custom_resource_that_loki_has_is_no_slip(capsys: pytest.CaptureFixture[str]) -> None:
    reference = {"resource": "podz", "namespace": "prod", "name": "x", "apiGroup": "example.com", "apiVersion": "v1"}
    uri = "/apis/example.com/v1/namespaces/prod/podz/x"
    asked = ["who", "--verb", "delete", "--resource", "podz", "--since", SINCE, "--until", UNTIL, "--loki"]
    with serve([("cp1", encode(event(ALICE, "get", uri, START, reference=reference)).strip())]) as fake:
        assert main([*asked, fake.url]) == 3
    with serve(LOG) as fake:
        assert main([*asked, fake.url]) == 2
    assert "did you mean pods?" in capsys.readouterr().err


def test_what_loki_left_out_is_not_taken_for_missing(capsys: pytest.CaptureFixture[str], loki: FakeLoki) -> None:
    asked = ["--since", SINCE, "--until", UNTIL, "--loki", loki.url, "-o", "wide"]
    assert main(["who", "--verb", "update", "--namespace", "prod", "--user", "carol", *asked]) == 3
    assert "no event in these logs is" not in capsys.readouterr().out


def test_gaps_of_loki_mean_something_where_it_has_the_heartbeat(capsys: pytest.CaptureFixture[str]) -> None:
    lease = {"resource": "leases", "namespace": "kube-system", "name": "apiserver-x", "apiGroup": "coordination.k8s.io"}
    api_server = Caller("system:apiserver", ("system:masters", "system:authenticated"), "kube-apiserver", "127.0.0.1")
    uri = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/apiserver-x"
    moments = [START + timedelta(seconds=second) for second in (0, 10, 20, 200, 210)]
    beats = [("cp1", encode(event(api_server, "update", uri, moment, reference=lease)).strip()) for moment in moments]
    since, until = START.isoformat(), (START + timedelta(seconds=211)).isoformat()
    with serve(beats) as fake:
        assert main(["gaps", "--loki", fake.url, "--since", since, "--until", until]) == 0
    others = [("cp1", encode(event(ALICE, "get", "/version", moment)).strip()) for moment in moments]
    with serve(others) as fake:
        assert main(["gaps", "--loki", fake.url, "--since", since, "--until", until]) == 3
    assert "nothing shows that anything is recorded all the time" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words",
    [
        ("timeline", "deploy/web", "-n", "prod"),
        ("timeline", "cm/app-config", "-n", "prod"),
        ("timeline", "user:alice*", "--changes"),
        ("timeline", "account:prod/admin"),
        ("timeline", "address:198.51.100.7", "--denied"),
        ("timeline", f"session:{SECOND}"),
        ("timeline", "session:bbbbbbbb-1111-4111-8111-111111111111"),
        ("lineage", SECOND),
        ("lineage", FIRST),
        ("lineage", "dddddddd-1111-4111-8111-111111111111"),
    ],
    ids=" ".join,
)
def test_stories_are_the_same_as_from_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    told = [encode(each) for each in incident()]
    (tmp_path / "audit.log").write_bytes(b"".join(told))
    times = ("--since", SINCE, "--until", UNTIL, "-o", "json")
    with serve([("cp1", line.rstrip(b"\n")) for line in told]) as loki:
        codes = [main([*words, *times, "--loki", loki.url]), main([*words, *times, f"cp1={tmp_path}/audit.log"])]
    text = capsys.readouterr().out
    decoder = json.JSONDecoder()
    from_loki, end = decoder.raw_decode(text)
    from_files, _ = decoder.raw_decode(text[end:].lstrip())
    for answer in (from_loki["answer"], from_files["answer"]):
        # Which routine is left out, and which creations have no name, Loki's filter decides along with the question.
        for key in ("coverage", "routine", "nameless_creations"):
            answer.pop(key, None)
        for entry in answer["entries"]:
            entry.pop("node")
        for link in answer.get("chain", ()):
            (link["issued"] or {}).pop("node", None)
    assert codes[0] == codes[1]
    assert from_loki["answer"] == from_files["answer"]


def report_of(capsys: pytest.CaptureFixture[str], page: Path, *words: str) -> str:
    """What the page says, without what only files or only Loki can."""
    assert main(["report", *words, "-o", str(page)]) == 0
    assert capsys.readouterr().err == ""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.read_text().partition("<main")[2].partition("</main>")[0]))
    return " ".join(text.split())


def test_a_report_says_the_same_as_of_files(
    loki: FakeLoki, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--since", SINCE, "--until", UNTIL, "--policy", "preset:baseline", "--nodes", "2")
    from_files = report_of(capsys, tmp_path / "files.html", *words, f"test={files}")
    from_loki = report_of(capsys, tmp_path / "loki.html", *words, "--loki", loki.url)
    # Loki orders what happened at the same moment by its text.
    assert sorted(from_loki.split()) == sorted(from_files.split())
    assert "Judged by preset:baseline." in from_loki
    assert "Test/cp1 is silent for over 60 seconds" in from_loki


def test_a_report_of_loki_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    with serve([("cp1", LOG[0][1][:-1]), *LOG[1:2]]) as fake:
        said = report_of(capsys, page, "--since", SINCE, "--until", UNTIL, "--loki", fake.url)
        assert "No policy was named, so no empty answer is certain." in said
        assert "test/cp1 in Loki, line 2: broken JSON" in said
    with serve([("cp1", LOG[0][1])]) as fake:
        said = report_of(capsys, page, "--since", "2025-02-22", "--until", "2025-02-23", "--loki", fake.url)
        assert "Loki has no event of" in said
        assert "The log of test/cp1 has no event." in said


def test_a_report_names_one_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = str(tmp_path / "report.html")
    for words, message in (
        (["--loki", "http://127.0.0.1:1", "a.log"], "--loki and LOG (a.log) are both given"),
        ([], "or --loki URL"),
        (["--loki", "http://127.0.0.1:1/loki/api/v1"], "allowed: the address up to /loki/api/"),
    ):
        assert main(["report", *words, "-o", page]) == 2
        assert message in capsys.readouterr().err
    assert not Path(page).exists()
