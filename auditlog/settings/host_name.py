"""The name or address of a machine, alone: user and port are separate settings."""

from __future__ import annotations

import ipaddress
import re

from auditlog.settings.kinds import Text

_NAME = r"[^\s@/:,\[\]-][^\s@/:,\[\]]*"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[^\s@/:,\[\]]+)?"
_PATTERN = f"{_NAME}|{_IPV6}"
_WITH_MORE = re.compile(
    r"\s*(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?:(?P<user>[^\s@/:]+)(?::[^\s@/]*)?@)?"
    rf"(?:\[(?P<bracketed>[^\]\s]+)\]|(?P<ipv6>{_IPV6.replace('(%', '(?:%')})|(?P<name>{_NAME}))"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/\S*)?\s*"
)
_SSH = (None, "ssh", "sftp", "scp")
"""Schemes whose port is the SSH server's; that of ``https`` is the API server's."""


def _is_host_name(text: str) -> bool:
    return ":" not in text or _is_ipv6(text)


def _instead(written: str) -> str:
    found = _WITH_MORE.fullmatch(written)
    if found is None:
        return ""
    host = found["bracketed"] or found["ipv6"] or found["name"]
    if not _is_host_name(host):
        return ""
    parts = [f"host: '{host}'" if ":" in host else f"host: {host}"]
    if found["user"]:
        parts.append(f"user: {found['user']}")
    if found["port"] and found["scheme"] in _SSH:
        parts.append(f"port: {found['port']}")
    return f" alone, here {' and '.join(parts)}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


HOST_NAME = Text("a host name or an address", _PATTERN, _is_host_name, instead=_instead)
"""A host name, an IPv4 or an IPv6 address."""
