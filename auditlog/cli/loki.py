"""The options that name a Loki to ask instead of files."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from auditlog.cli.common import UsageError, check_login
from auditlog.events.http_access import secret_from_file
from auditlog.events.logql import SELECTOR
from auditlog.events.loki import LokiAccess, LokiClient
from auditlog.events.loki.store import LokiStore

DEFAULT_RANGE = timedelta(hours=24)
"""How far back Loki is asked without --since: a log store has no beginning to start from."""


def add_loki(parser: argparse.ArgumentParser) -> None:
    """The options, as a separate group."""
    group = parser.add_argument_group(
        "Loki", "Ask Loki instead of files, for the last 24 hours unless --since says otherwise."
    )
    add_loki_access(group, "only this cluster's events")
    group.add_argument(
        "--loki-selector", metavar="SELECTOR", default=SELECTOR, help=f"the streams of the audit log ({SELECTOR})"
    )


def add_loki_access(group: argparse._ActionsContainer, cluster: str) -> None:
    """Where Loki is and how it is asked; `cluster` says what the option of that name is for."""
    group.add_argument("--loki", metavar="URL", default="", help="https://loki.example.com:3100")
    group.add_argument("--tenant", default="", help="sent as X-Scope-OrgID")
    group.add_argument("--cluster", default="", help=cluster)
    group.add_argument("--loki-user", metavar="NAME", default="", help="for basic authentication")
    group.add_argument("--loki-password-file", metavar="FILE", default="", help="its password, on the first line")
    group.add_argument("--loki-token-file", metavar="FILE", default="", help="a bearer token, on the first line")
    group.add_argument(
        "--loki-ca", metavar="FILE", default="", help="certificate authorities for Loki's certificate (PEM)"
    )


def loki_store(arguments: argparse.Namespace) -> tuple[LokiStore, tuple[str, ...]]:
    """The log that the options name, and what people should know about the choice.

    Raises:
        UsageError: the options contradict each other.
        LokiError: they cannot be used.
    """
    if arguments.logs:
        raise UsageError(f"--loki and LOG ({arguments.logs[0]}) are both given; name one of the two")
    check_login("--loki", arguments.loki_user, arguments.loki_password_file, arguments.loki_token_file)
    access = LokiAccess(
        url=arguments.loki,
        tenant=arguments.tenant,
        user=arguments.loki_user,
        password=secret_from_file("--loki-password-file", arguments.loki_password_file),
        token=secret_from_file("--loki-token-file", arguments.loki_token_file),
        ca_file=arguments.loki_ca,
    )
    now = datetime.now(UTC)
    until = arguments.until or now
    since = arguments.since or until - DEFAULT_RANGE
    notes = () if arguments.since else ("the last 24 hours were asked for; --since says otherwise",)
    return LokiStore(LokiClient(access), _selector(arguments), since, until), notes


def _selector(arguments: argparse.Namespace) -> str:
    selector: str = arguments.loki_selector.strip()
    if not (selector.startswith("{") and selector.endswith("}") and len(selector) > 2):
        raise UsageError(f"--loki-selector is {selector!r}; allowed: labels in braces, such as {SELECTOR}")
    if not arguments.cluster:
        return selector
    if "`" in arguments.cluster:
        raise UsageError(f"--cluster is {arguments.cluster!r}; allowed: the value of the label cluster")
    return f"{selector[:-1]}, cluster=`{arguments.cluster}`}}"
