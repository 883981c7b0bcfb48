"""Audit flags that the API server refuses, does not know or that have no effect."""

from __future__ import annotations

import pytest

from auditlog.checks.finding import Severity
from auditlog.checks.flags import flag_findings
from auditlog.manifest.audit_flags import AUDIT_FLAGS
from tests.unit.checks.servers import server

HOOK = "--audit-webhook-config-file=/etc/kubernetes/hook.yaml"


def test_the_flags_that_up_writes_are_well() -> None:
    for minor in range(30, 38):
        assert list(flag_findings(server(minor=minor))) == []


def test_two_flags_of_the_same_name() -> None:
    (finding,) = flag_findings(server("--audit-log-maxage=7"))
    assert finding.id == "flag-twice"
    assert "the last one, '7'" in finding.consequence


def test_other_flags_may_stand_twice() -> None:
    assert list(flag_findings(server("--service-account-issuer=a", "--service-account-issuer=b"))) == []


def test_a_flag_that_the_version_does_not_have() -> None:
    (finding,) = flag_findings(server("--audit-dynamic-configuration=true", minor=33))
    assert (finding.id, finding.severity) == ("flag-unknown", Severity.ERROR)
    assert finding.what == "Kubernetes 1.33 has no flag --audit-dynamic-configuration"


def test_all_flags_of_the_file_and_the_webhook_are_known() -> None:
    assert len(AUDIT_FLAGS) == 3 + 5 + 2 + 2 * 11


@pytest.mark.parametrize("minor", [29, 38])
def test_a_version_whose_rules_are_not_known(minor: int) -> None:
    (finding,) = flag_findings(server(minor=minor))
    assert (finding.id, finding.severity) == ("version-unknown", Severity.WARNING)


@pytest.mark.parametrize(
    "flag",
    [
        "--audit-log-mode=async",
        "--audit-log-format=yaml",
        "--audit-log-version=audit.k8s.io/v1beta1",
        "--audit-log-truncate-max-event-size=0",
    ],
)
def test_a_value_with_which_the_api_server_does_not_start(flag: str) -> None:
    (finding,) = flag_findings(server(flag))
    assert (finding.id, finding.severity) == ("flag-refused", Severity.ERROR)
    assert finding.what.startswith(flag.split("=")[0])
    assert finding.remedy.startswith("allowed: ")


def test_a_negative_rotation() -> None:
    (finding,) = flag_findings(server("--audit-log-maxage=-1", without="audit-log-maxage"))
    assert finding.id == "flag-refused"


@pytest.mark.parametrize(
    ("flags", "refused"),
    [
        (("--audit-log-batch-buffer-size=0",), False),
        (("--audit-log-mode=batch", "--audit-log-batch-buffer-size=0"), True),
        (("--audit-log-mode=batch", "--audit-log-batch-throttle-qps=0"), False),
        (("--audit-log-mode=batch", "--audit-log-batch-throttle-enable", "--audit-log-batch-throttle-qps=0"), True),
        (("--audit-log-mode=batch", "--audit-log-batch-throttle-enable", "--audit-log-batch-throttle-qps=0.5"), False),
        (("--audit-webhook-batch-max-size=0",), False),
        ((HOOK, "--audit-webhook-batch-max-size=0"), True),
        ((HOOK, "--audit-webhook-batch-throttle-qps=0"), True),
        ((HOOK, "--audit-webhook-batch-throttle-qps=0", "--audit-webhook-batch-throttle-enable=false"), False),
        ((HOOK, "--audit-webhook-mode=blocking", "--audit-webhook-batch-max-size=0"), False),
    ],
)
def test_values_count_only_where_the_api_server_looks_at_them(flags: tuple[str, ...], refused: bool) -> None:
    assert [each.id for each in flag_findings(server(*flags))] == ["flag-refused"] * refused


def test_a_deprecated_flag_names_its_successor() -> None:
    (finding,) = flag_findings(server("--audit-webhook-batch-initial-backoff=5s"))
    assert finding.remedy == "write --audit-webhook-initial-backoff"


@pytest.mark.parametrize(("without", "finding"), [("audit-policy-file", "no-policy"), ("audit-log-path", "no-backend")])
def test_a_policy_needs_a_backend_and_a_backend_a_policy(without: str, finding: str) -> None:
    assert [each.id for each in flag_findings(server(without=without))] == [finding]
