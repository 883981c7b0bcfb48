"""The options that name a Prometheus to ask."""

from __future__ import annotations

import argparse

from auditlog.cli.common import UsageError, check_login
from auditlog.events.http_access import secret_from_file
from auditlog.ledger.prometheus_reader import PrometheusAccess

_CREDENTIALS = ("tenant", "user", "password_file", "token_file", "ca")


def add_prometheus_access(group: argparse._ActionsContainer, purpose: str) -> None:
    """Where Prometheus is and how it is asked, as for Loki; `purpose` says what for."""
    group.add_argument("--prometheus", metavar="URL", default="", help=purpose)
    group.add_argument(
        "--prometheus-tenant", metavar="NAME", default="", help="sent as X-Scope-OrgID, as Mimir and Cortex want it"
    )
    group.add_argument("--prometheus-user", metavar="NAME", default="", help="for basic authentication")
    group.add_argument("--prometheus-password-file", metavar="FILE", default="", help="its password, on the first line")
    group.add_argument("--prometheus-token-file", metavar="FILE", default="", help="a bearer token, on the first line")
    group.add_argument(
        "--prometheus-ca", metavar="FILE", default="", help="certificate authorities for its certificate (PEM)"
    )


def prometheus_access(arguments: argparse.Namespace) -> PrometheusAccess | None:
    """Address and credentials, None where none is named.

    Raises:
        UsageError: the options contradict each other.
        AccessError: they cannot be used.
    """
    given = [
        f"--prometheus-{each.replace('_', '-')}" for each in _CREDENTIALS if getattr(arguments, f"prometheus_{each}")
    ]
    if not arguments.prometheus:
        if given:
            raise UsageError(f"{given[0]} is for --prometheus URL")
        return None
    user, password_file = arguments.prometheus_user, arguments.prometheus_password_file
    check_login("--prometheus", user, password_file, arguments.prometheus_token_file)
    access = PrometheusAccess(
        url=arguments.prometheus,
        tenant=arguments.prometheus_tenant,
        user=user,
        password=secret_from_file("--prometheus-password-file", password_file),
        token=secret_from_file("--prometheus-token-file", arguments.prometheus_token_file),
        ca_file=arguments.prometheus_ca,
    )
    access.check()
    return access
