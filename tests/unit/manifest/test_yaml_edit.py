"""The values of a text are those of PyYAML's own safe loader, however they are written, also after an edit of it."""

from __future__ import annotations

import pytest
import yaml

from auditlog.manifest import yaml_edit
from auditlog.manifest.yaml_edit import YamlEditError

_WRITTEN = """\
plain: text
quoted: "1"
number: 1
octal: 0o17
float: 1.5e3
yes: true
no: off
nothing:
tilde: ~
empty: ""
day: 2026-01-02
moment: 2026-01-02T03:04:05Z
tagged: !!str 12
block: |
  two
  lines
flow: {a: [1, "2", null], b: {}}
anchor: &anchor {x: 1}
alias: *anchor
"""
_MERGED = "base: &base {x: 1, y: 2}\nentry:\n  <<: *base\n  y: 3\n"


@pytest.mark.parametrize("text", [_WRITTEN, _MERGED, "- 1\n- '1'\n", "just text\n", "", "# a comment\n"])
def test_values_are_those_of_the_safe_loader(text: str) -> None:
    assert yaml_edit.load(text) == yaml.safe_load(text)


def test_a_merge_key_stays_where_it_is_after_the_values_were_asked_for() -> None:
    assert yaml_edit.load(_MERGED)["entry"] == {"x": 1, "y": 3}
    assert yaml_edit.set_scalar(_MERGED, ("entry", "y"), "four") == _MERGED.replace("y: 3", "y: four")
    assert yaml_edit.remove(_MERGED, ("entry", "y")) == _MERGED.replace("  y: 3\n", "")


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "a: [1\n", "a: !!python/object:os.system {}\n"])
def test_what_is_not_one_document_of_plain_values_is_an_error(text: str) -> None:
    with pytest.raises(YamlEditError):
        yaml_edit.load(text)


def test_a_byte_order_mark_stays_where_it_is_and_shifts_no_edit() -> None:
    text = "\ufeffa: 1\nlist:\n- one\nb: 2\n"
    assert yaml_edit.append_item(text, ("list",), "two") == "\ufeffa: 1\nlist:\n- one\n- two\nb: 2\n"
    assert yaml_edit.set_scalar(text, ("b",), "x") == "\ufeffa: 1\nlist:\n- one\nb: x\n"
