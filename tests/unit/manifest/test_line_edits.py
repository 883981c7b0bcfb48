"""Edits of lines: what the node's sed makes of them."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from auditlog.manifest.line_edits import line_edits

LINE = st.text(st.sampled_from("a \\\t&/x'\""), max_size=5)
TEXT = st.lists(LINE, min_size=1, max_size=8).map(lambda lines: "".join(f"{line}\n" for line in lines))


def sed(script: str, text: str) -> str:
    """What the node's own sed makes of it."""
    return subprocess.run(["sed", "-e", script], input=text.encode(), capture_output=True, check=True).stdout.decode()


@given(TEXT, TEXT)
def test_sed_makes_the_one_text_from_the_other_to_the_byte(source: str, target: str) -> None:
    assert sed(line_edits(source, target), source) == target
