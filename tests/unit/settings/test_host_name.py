"""A host is a name or an address alone; what else is written with it is named as the setting that it belongs to."""

from __future__ import annotations

import pytest

from auditlog.settings.host_name import HOST_NAME
from auditlog.settings.mistake import Mistake, Place


def read(text: str) -> tuple[str | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    return HOST_NAME.read(text, Place("host", mistakes)), mistakes


@pytest.mark.parametrize(
    "host",
    ["10.0.20.11", "cp1", "cp-1.example.com", "cp_1", "münchen.example", "::1", "2001:db8::11", "fe80::1%eth0"],
)
def test_names_and_addresses(host: str) -> None:
    assert read(host) == (host, [])


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("ops@10.0.20.11", "host: 10.0.20.11 and user: ops"),
        ("10.0.20.11:2222", "host: 10.0.20.11 and port: 2222"),
        ("ops@cp1:22", "host: cp1 and user: ops and port: 22"),
        ("https://10.0.20.11:6443", "host: 10.0.20.11"),
        ("HTTPS://cp1.example.com/", "host: cp1.example.com"),
        ("ssh://ops@cp1:2222/", "host: cp1 and user: ops and port: 2222"),
        ("[::1]:22", "host: '::1' and port: 22"),
        ("[2001:db8::11]", "host: '2001:db8::11'"),
        ("ops@2001:db8::11", "host: '2001:db8::11' and user: ops"),
        (" cp1", "host: cp1"),
        ("cp1 \n", "host: cp1"),
        ("cp1/", "host: cp1"),
    ],
)
def test_what_stands_around_a_host_is_refused_with_what_to_write(written: str, instead: str) -> None:
    found, (mistake,) = read(written)
    assert found is None
    assert mistake.allowed == f"a host name or an address alone, here {instead}"


@pytest.mark.parametrize("written", ["", "a b", "-oProxyCommand=x", "ops@", "1:2:3", "cp1:ssh", "10.0.0.1,10.0.0.2"])
def test_what_is_no_host_at_all(written: str) -> None:
    found, (mistake,) = read(written)
    assert (found, mistake.allowed) == (None, "a host name or an address")
