"""Optional C libraries are found as ``ctypes`` finds them, and whatever is asked later asks ``ctypes``."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator

import pytest

from auditlog.nodes import ssh_library


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    ssh_library.loaders_cache.cache_clear()
    yield
    ssh_library.loaders_cache.cache_clear()


@pytest.mark.parametrize("name", ["c", "crypto", "no-such-library"])
def test_it_is_what_ctypes_finds(name: str) -> None:
    assert ssh_library.find_library(name) == ctypes.util.find_library(name)


@pytest.mark.parametrize("program", ["/no/such/program", "/bin/false"])
def test_without_a_cache_ctypes_is_asked(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_library, "_LDCONFIG", program)
    assert ssh_library.loaders_cache() is None
    assert ssh_library.find_library("c") == ctypes.util.find_library("c")


def test_nobody_else_gets_another_function() -> None:
    assert ctypes.util.find_library is not ssh_library.find_library
