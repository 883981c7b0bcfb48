"""One comment for each environment, written anew, on servers that answer as GitHub and GitLab do."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auditlog.cli import main
from auditlog.review.forge import forge_of_job
from auditlog.review.forge_api import ForgeError
from auditlog.review.markdown import marker
from tests.unit.review.documents import document

SHA = "ab" * 20


class Server:
    """Keeps comments as a forge does. ``forbids`` is a method that the token may not use."""

    def __init__(self, is_github: bool) -> None:
        self.is_github = is_github
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.forbids = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def _do(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or "")
                code, answer = outer.answer(self.command, urlsplit(self.path), body)
                self.send_response(code)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_GET = do_POST = do_PUT = do_PATCH = _do  # noqa: N815

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def say(self, body: str, user: str, number: int) -> None:
        self.comments.append(
            {"id": len(self.comments) + 1, "body": body, "user": {"login": user}, "author": {"id": number}}
        )

    def answer(self, method: str, url: Any, body: Any) -> tuple[int, Any]:
        if method == self.forbids:
            return 403, {"message": "Resource not accessible"}
        if url.path == "/user":
            return 200, {"id": 7}
        if "/statuses/" in url.path:
            assert url.path.endswith(SHA)
            self.statuses.append(body)
            return 201, {}
        last = url.path.rpartition("/")[2]
        if last.isdigit():
            (comment,) = [each for each in self.comments if each["id"] == int(last)]
            comment["body"] = body["body"]
            return 200, {**comment, "html_url": f"{self.url}/comment/{last}"}
        if method == "GET":
            page, size = (int(parse_qs(url.query)[name][0]) for name in ("page", "per_page"))
            return 200, self.comments[(page - 1) * size : page * size]
        self.say(body["body"], "github-actions[bot]", 7)
        return 201, {**self.comments[-1], "html_url": f"{self.url}/comment/{len(self.comments)}"}


@pytest.fixture(params=["github", "gitlab"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A forge, and the variables of a job of its pull request 12."""
    found = Server(request.param == "github")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12, "head": {"sha": SHA}}}))
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    variables = {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": found.url,
            "GITHUB_REPOSITORY": "team/clusters",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_TOKEN": "token",
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": found.url,
            "CI_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": "12",
            "CI_COMMIT_SHA": SHA,
            "GITLAB_TOKEN": "token",
        },
    }[request.param]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    thread = threading.Thread(target=found.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.http.shutdown()
    thread.join()
    found.http.server_close()


def comment(folder: Path, environment: str = "dev", *, fails: bool = False) -> int:
    file = folder / "preview.json"
    errors = [("stack", "error", "cp1: not reachable")] if fails else []
    file.write_text(document((("cp1-manifest", "update"),), errors))
    return main(["summary", "--comment", "--environment", environment, str(file)])


def test_an_environment_has_one_comment_which_is_written_anew(server: Server, tmp_path: Path) -> None:
    for number in range(150):
        server.say(f"comment {number}", "somebody", 1)
    assert comment(tmp_path) == 0
    assert comment(tmp_path, "prod") == 0
    assert comment(tmp_path, fails=True) == 1
    own = [each["body"] for each in server.comments[150:]]
    assert [body.splitlines()[0] for body in own] == [marker("dev"), marker("prod")]
    assert "the preview failed" in own[0]
    assert [each["state"] for each in server.statuses] == [
        "success",
        "success",
        "failure" if server.is_github else "failed",
    ]
    assert server.tokens == {"Bearer token" if server.is_github else "token"}


def test_a_comment_of_somebody_else_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.say(f"{marker('dev')}\nwritten by hand", "somebody", 1)
    assert comment(tmp_path) == 0
    assert server.comments[0]["body"].endswith("written by hand")
    assert len(server.comments) == 2


def test_a_token_that_may_not_write_is_said_with_what_it_must_allow(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.forbids = "POST"
    assert comment(tmp_path) == 2
    said = capsys.readouterr().err
    assert "answers 403" in said
    assert "the token must allow" in said
    assert "Bearer" not in said


def test_what_the_job_lacks_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "GITHUB_TOKEN" if server.is_github else "GITLAB_TOKEN"
    monkeypatch.delenv(token)
    with pytest.raises(ForgeError, match=f"{token} is not set"):
        forge_of_job(os.environ)
    with pytest.raises(ForgeError, match="no forge is known"):
        forge_of_job({})
