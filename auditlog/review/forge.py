"""The page as one comment of a pull request or merge request, and its outcome as the commit's status.

A job's variables, as GitHub Actions and GitLab CI set them, say where. The comment of an earlier run is overwritten, so
a pull request has one for each environment. Only a comment of the token's own user counts: anybody may write one that
begins like ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from auditlog.review.forge_api import ForgeApi, ForgeError

_MOST_IN_A_STATUS = 140
"""Characters that GitHub takes for a status's description."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is published of one preview."""

    marker: str
    """How the page begins."""
    page: str
    """Markdown."""
    context: str
    """The status's name, of which a commit has one."""
    outcome: str
    """The status's sentence."""
    failed: bool
    """Whether the preview failed."""


class Forge(Protocol):
    """Where pull requests are."""

    def publish(self, note: Note) -> str:
        """Writes comment and status; gives the comment's address. Raises ForgeError."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """GitHub's REST API (https://docs.github.com/rest/issues/comments, https://docs.github.com/rest/commits/statuses)."""

    api: ForgeApi
    repository: str
    number: int
    sha: str
    author: str
    run_url: str

    def publish(self, note: Note) -> str:
        comments = f"/repos/{self.repository}/issues/{self.number}/comments"
        for each in self.api.pages(comments):
            if each["user"]["login"] == self.author and str(each["body"]).startswith(note.marker):
                path = f"/repos/{self.repository}/issues/comments/{each['id']}"
                written = self.api.call("PATCH", path, {"body": note.page})
                break
        else:
            written = self.api.call("POST", comments, {"body": note.page})
        status = {
            "state": "failure" if note.failed else "success",
            "context": note.context,
            "description": _shortened(note.outcome),
            **({"target_url": self.run_url} if self.run_url else {}),
        }
        self.api.call("POST", f"/repos/{self.repository}/statuses/{self.sha}", status)
        return str(written["html_url"])

    @classmethod
    def of_job(cls, variables: Mapping[str, str]) -> GitHub:
        """The pull request of this workflow's run. Raises ForgeError."""
        event = _event(_needed(variables, "GITHUB_EVENT_PATH"))
        request = event.get("pull_request")
        if not isinstance(request, dict):
            raise ForgeError("this run is not of a pull request; allowed: a workflow with on: pull_request")
        token = _needed(variables, "GITHUB_TOKEN")
        server, run = variables.get("GITHUB_SERVER_URL", ""), variables.get("GITHUB_RUN_ID", "")
        repository = _needed(variables, "GITHUB_REPOSITORY")
        return cls(
            ForgeApi(
                variables.get("GITHUB_API_URL", "https://api.github.com"),
                {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
                "pull-requests: write and statuses: write",
            ),
            repository,
            int(request["number"]),
            str(request["head"]["sha"]),
            # The user of the token that GitHub makes for a workflow, which cannot be asked who it is.
            variables.get("COMMENT_AUTHOR", "github-actions[bot]"),
            f"{server}/{repository}/actions/runs/{run}" if server and run else "",
        )


@dataclass(frozen=True, slots=True)
class GitLab:
    """GitLab's REST API (https://docs.gitlab.com/api/notes/, https://docs.gitlab.com/api/commits/)."""

    api: ForgeApi
    project: str
    number: str
    sha: str
    request_url: str
    pipeline_url: str

    def publish(self, note: Note) -> str:
        notes = f"/projects/{self.project}/merge_requests/{self.number}/notes"
        own = self.api.call("GET", "/user")["id"]
        for each in self.api.pages(notes):
            if each["author"]["id"] == own and str(each["body"]).startswith(note.marker):
                written = self.api.call("PUT", f"{notes}/{each['id']}", {"body": note.page})
                break
        else:
            written = self.api.call("POST", notes, {"body": note.page})
        status = {
            "state": "failed" if note.failed else "success",
            "name": note.context,
            "description": _shortened(note.outcome),
            **({"target_url": self.pipeline_url} if self.pipeline_url else {}),
        }
        self.api.call("POST", f"/projects/{self.project}/statuses/{self.sha}", status)
        return f"{self.request_url}#note_{written['id']}"

    @classmethod
    def of_job(cls, variables: Mapping[str, str]) -> GitLab:
        """The merge request of this pipeline. Raises ForgeError."""
        project = _needed(variables, "CI_PROJECT_ID")
        # In a child pipeline the one that started it hands it down under another name.
        number = variables.get("CI_MERGE_REQUEST_IID") or _needed(variables, "MERGE_REQUEST_IID")
        # A job's own token may not write notes.
        token = _needed(variables, "GITLAB_TOKEN")
        page = variables.get("CI_MERGE_REQUEST_PROJECT_URL", "")
        return cls(
            ForgeApi(
                _needed(variables, "CI_API_V4_URL"),
                {"PRIVATE-TOKEN": token},
                "the scope api, as a project access token with the role Developer does",
            ),
            project,
            number,
            _needed(variables, "CI_COMMIT_SHA"),
            f"{page}/-/merge_requests/{number}",
            variables.get("CI_PIPELINE_URL", ""),
        )


def forge_of_job(variables: Mapping[str, str]) -> Forge:
    """The forge that runs this job. Raises ForgeError if it is none that is known, or a variable is missing."""
    if variables.get("GITHUB_ACTIONS"):
        return GitHub.of_job(variables)
    if variables.get("GITLAB_CI"):
        return GitLab.of_job(variables)
    raise ForgeError(
        "no forge is known to run this job; allowed: GitHub Actions (GITHUB_ACTIONS) or GitLab CI (GITLAB_CI)"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_IN_A_STATUS else f"{text[: _MOST_IN_A_STATUS - 1]}…"


def _needed(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name)
    if not value:
        raise ForgeError(f"the variable {name} is not set; required to write a comment")
    return value


def _event(path: str) -> dict[str, Any]:
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ForgeError(f"GITHUB_EVENT_PATH: {path}: {error}; allowed: the event that GitHub wrote") from error
    return event if isinstance(event, dict) else {}
