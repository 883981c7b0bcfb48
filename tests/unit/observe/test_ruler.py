"""Rule groups for a ruler's API: the command with real curl against an HTTP server, and what counts as a difference."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from auditlog.events.loki import DeniedError, LokiError
from auditlog.observe.ruler import DeliveredGroup, command, delivered_groups, drift_of
from auditlog.observe.ruler_state import read_ruler
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from auditlog.settings import AlertSettings, Host, LokiRules, LokiSettings, Settings

SCOPE = RuleScope("prod", ("cp1",))
RULES = loki_rules(SCOPE)
# What a shell, curl's format or a quoted text could trip over.
PASSWORD = "a\"b\\c'd$(id)`e`;#\tf%0A"


@dataclass
class Ruler:
    """An HTTP server that answers as it is told, and keeps what it was asked."""

    url: str = ""
    answer: tuple[int, str] = (202, "{}")
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def ruler() -> Iterator[Ruler]:
    made = Ruler()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            made.asked.append((self.command, self.path, dict(self.headers), body))
            code, text = made.answer
            self.send_response(code)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _take  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


def loki(ruler: Ruler, **more: Any) -> LokiSettings:
    return LokiSettings(ruler.url, tenant="team-a", username="rules", password=PASSWORD, **more)


def run(group: DeliveredGroup, action: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **group.environment, **group.secret_environment, "no_proxy": "127.0.0.1"}
    return subprocess.run(
        ["/bin/sh", "-c", command(action)], input=group.text, env=variables, text=True, capture_output=True, check=False
    )


def test_a_group_is_given_with_tenant_and_credentials(ruler: Ruler) -> None:
    first = delivered_groups(RULES, SCOPE, loki(ruler))[0]
    result = run(first, "apply")
    assert (result.returncode, result.stdout) == (0, "in the ruler\n"), result.stderr
    ((method, path, headers, body),) = ruler.asked
    assert (method, path) == ("POST", "/loki/api/v1/rules/kubernetes-audit-prod")
    assert headers["X-Scope-OrgID"] == "team-a"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == f"rules:{PASSWORD}"
    assert headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(body) == RULES.groups[0]


def test_only_the_group_itself_is_taken_away(ruler: Ruler) -> None:
    last = delivered_groups(RULES, SCOPE, loki(ruler))[-1]
    assert run(last, "delete").returncode == 0
    ((method, path, *_),) = ruler.asked
    assert (method, path) == ("DELETE", f"/loki/api/v1/rules/kubernetes-audit-prod/{last.name}")


def test_taking_away_what_is_not_there_is_no_error(ruler: Ruler) -> None:
    group = delivered_groups(RULES, SCOPE, loki(ruler))[0]
    ruler.answer = (404, "group does not exist\n")
    assert run(group, "delete").stdout == "no longer in the ruler\n"
    ruler.answer = (404, "404 page not found\n")
    assert run(group, "delete").returncode == 1, "something else answers here"


@pytest.mark.parametrize("code", [302, 400, 401, 404])
def test_a_refusal_is_told_without_the_credentials(ruler: Ruler, code: int) -> None:
    ruler.answer = (code, "could not parse expression")
    result = run(delivered_groups(RULES, SCOPE, loki(ruler))[0], "apply")
    assert result.returncode == 1
    address = f"{ruler.url}/loki/api/v1/rules/kubernetes-audit-prod"
    assert result.stderr == f"{address} answers {code}: could not parse expression\n"
    assert len(ruler.asked) == 1


def test_a_ruler_that_cannot_be_reached_is_told() -> None:
    group = delivered_groups(RULES, SCOPE, LokiSettings("http://127.0.0.1:1"))[0]
    result = run(group, "apply")
    assert result.returncode == 1
    assert "http://127.0.0.1:1/loki/api/v1/rules/kubernetes-audit-prod cannot be reached" in result.stderr


def test_credentials_stand_in_no_text_and_no_plain_variable(ruler: Ruler) -> None:
    for group in delivered_groups(RULES, SCOPE, loki(ruler)):
        for text in (command("apply"), command("delete"), group.text, *group.environment.values(), *group.identity):
            assert "rules:" not in text.replace("rules:\n", "")
            assert PASSWORD not in text
    (without,) = {len(each.secret_environment) for each in delivered_groups(RULES, SCOPE, LokiSettings(ruler.url))}
    assert without == 0


def test_another_tenant_cluster_or_group_is_another_identity_and_another_address_is_not() -> None:
    def identities(url: str, tenant: str | None, cluster: str) -> set[tuple[str, ...]]:
        scope = RuleScope(cluster, ("cp1",))
        return {group.identity for group in delivered_groups(loki_rules(scope), scope, LokiSettings(url, tenant))}

    here = identities("https://a", "x", "prod")
    assert len(here) == len(RULES.groups)
    assert identities("https://b", "x", "prod") == here
    assert not identities("https://a", "y", "prod") & here
    assert not identities("https://a", "x", "dev") & here


def test_the_address_is_the_rulers_own_or_the_one_that_answers_queries() -> None:
    def address(loki: LokiSettings, ruler_url: str | None = None) -> str:
        scope = replace(SCOPE, settings=AlertSettings(ruler_url=ruler_url))
        return delivered_groups(RULES, scope, loki)[0].environment["RULER_GROUPS"]

    push = LokiSettings("https://push/")
    assert address(push).startswith("https://push/loki/api")
    assert address(replace(push, query_url="https://query")).startswith("https://query/loki/api")
    assert address(replace(push, query_url="https://query"), "https://ruler/x/").startswith("https://ruler/x/loki/api")


def group(**more: Any) -> dict[str, Any]:
    rule = {"alert": "A", "expr": "x > 0", "for": "5m", "labels": {"a": "b"}}
    return {"name": "g", "interval": "1h30m", "rules": [rule], **more}


def test_a_ruler_that_writes_the_same_otherwise_does_not_differ() -> None:
    rule = {"alert": "A", "expr": "x > 0\n", "for": "300s", "labels": {"a": "b"}, "annotations": {}}
    assert drift_of(group(), {"name": "g", "interval": "90m", "limit": 0, "rules": [rule]}) is None


@pytest.mark.parametrize(
    ("live", "line"),
    [
        (group(interval="1h"), "-interval: 3600"),
        (group(limit=5), "-limit: 5"),
        (group(rules=[]), "-rules: []"),
        (group(rules=[{**group()["rules"][0], "expr": "x > 1"}]), "-  expr: x > 1"),
        (group(rules=[{**group()["rules"][0], "labels": {}}]), "+  labels:"),
    ],
)
def test_a_change_of_somebody_else_is_shown(live: dict[str, Any], line: str) -> None:
    drift = drift_of(group(), live)
    assert drift is not None
    assert line in drift.diff.splitlines()


def test_a_group_that_is_not_there_differs() -> None:
    drift = drift_of(group(), None)
    assert drift is not None
    assert (drift.reason, drift.diff) == ("is not in the ruler", "")


def settings(ruler: Ruler) -> Settings:
    host = Host("cp1", "cp1.example.com", "ssh-ed25519 AAAA")
    return Settings("prod", (host,), loki=loki(ruler), alerts=AlertSettings(loki=LokiRules.RULER_API))


def test_the_ruler_is_asked_for_the_stacks_own_namespace(ruler: Ruler) -> None:
    ruler.answer = (200, yaml.safe_dump({"kubernetes-audit-prod": list(RULES.groups)}))
    live = read_ruler(settings(ruler), loki(ruler))
    assert all(drift_of(each, live[each["name"]]) is None for each in RULES.groups)
    assert {path for _, path, *_ in ruler.asked} == {"/loki/api/v1/rules/kubernetes-audit-prod"}
    assert ruler.asked[0][2]["X-Scope-Orgid"] == "team-a"


def test_a_ruler_without_rules_has_none(ruler: Ruler) -> None:
    ruler.answer = (404, "no rule groups found\n")
    assert read_ruler(settings(ruler), loki(ruler)) == {}


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((404, "404 page not found"), LokiError, "the ruler's API may be off (ruler.enable_api)"),
        ((401, ""), DeniedError, "loki.tenant, loki.username or loki.password may be missing or wrong"),
        ((200, "<html>: ["), LokiError, "does not answer as a ruler does"),
        ((200, "- a"), LokiError, "does not answer as a ruler does"),
    ],
)
def test_what_cannot_be_known_is_an_error(
    ruler: Ruler, answer: tuple[int, str], error: type[LokiError], says: str
) -> None:
    ruler.answer = answer
    with pytest.raises(error) as caught:
        read_ruler(settings(ruler), loki(ruler))
    assert says in str(caught.value)
    assert PASSWORD not in str(caught.value)
