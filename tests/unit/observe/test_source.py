"""Which files on a node hold events: those that are written to, rotated and compressed, each in one group only."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from auditlog.observe.source import Source, source_of

FOLDER = "/var/log/kubernetes/audit"
POD = "/var/log/pods/kube-system_kube-apiserver-cp1_8d4f/kube-apiserver"


def groups(source: Source, path: str) -> set[str]:
    """The groups of patterns that a path belongs to; a pattern's part never reaches over a slash."""
    found = set()
    for name in ("live", "rotated", "compressed"):
        for pattern in getattr(source, name):
            parts, wanted = path.split("/"), pattern.split("/")
            if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
                found.add(name)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("audit.log", {"live"}),
        ("audit-canary.log", {"live"}),
        ("audit-2026-06-06T16-51-26.123.log", {"rotated"}),
        ("audit-canary-2026-06-06T16-51-26.123.log", {"rotated"}),
        ("audit-2026-06-06T16-51-26.123.log.gz", {"compressed"}),
        ("audit-canary-2026-06-06T16-51-26.123.log.gz", {"compressed"}),
        ("audit.log.1", set()),
        ("audit-old.log", set()),
        ("other.log", set()),
    ],
)
def test_a_file_of_the_log_folder(name: str, expected: set[str]) -> None:
    source = source_of(f"{FOLDER}/audit.log")
    assert groups(source, f"{FOLDER}/{name}") == expected
    assert source.folder == FOLDER
    assert not source.container_format


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{POD}/0.log", {"live"}),
        (f"{POD}/12.log", {"live"}),
        (f"{POD}/0.log.20261121-154017", {"rotated"}),
        (f"{POD}/0.log.20261121-154017.gz", {"compressed"}),
        (f"{POD}/0.log.20261121-154017.tmp", set()),
        ("/var/log/pods/kube-system_kube-apiserver-canary-cp1_77/kube-apiserver-canary/0.log", {"live"}),
        ("/var/log/pods/kube-system_etcd-cp1_99/etcd/0.log", set()),
        ("/var/log/pods/default_kube-apiserver-fake_12/kube-apiserver/0.log", set()),
    ],
)
def test_a_container_log_of_the_node(path: str, expected: set[str]) -> None:
    source = source_of("-")
    assert groups(source, path) == expected
    assert path.startswith(source.folder)
    assert source.container_format


def test_a_log_without_an_extension_is_rotated_without_one() -> None:
    source = source_of("/srv/audit/events")
    assert source.live == ("/srv/audit/events", "/srv/audit/events-canary")
    assert groups(source, "/srv/audit/events-2026-06-06T16-51-26.123") == {"rotated"}
