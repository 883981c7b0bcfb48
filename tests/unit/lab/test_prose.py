"""The checks of the documents' language: what they find, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import prose
from lab.prose import MOST_WORDS, problems, sentences, words

LONG = " ".join(["word"] * (MOST_WORDS + 1))


def messages(text: str) -> list[str]:
    return [problem.message for problem in problems("page.md", text)]


@pytest.mark.parametrize(
    ("passage", "count"),
    [
        ("One. Two.", 2),
        ("It works, e.g. here. Next.", 2),
        ("Version 1.30 to 1.37 of it.", 1),
        ("It ends. `code` begins the next.", 2),
        ("Is it? (Yes.) It is!", 3),
        ("**It is.** And more.", 2),
    ],
)
def test_a_text_is_divided_into_sentences(passage: str, count: int) -> None:
    assert len(sentences(passage)) == count


def test_a_semicolon_ends_a_note_in_a_cell_and_no_sentence() -> None:
    assert len(sentences("one; two; three", is_cell=True)) == 3
    assert len(sentences("One; two; three.")) == 1


def test_punctuation_is_no_word() -> None:
    assert words("first -> second · third") == 3


def test_a_long_sentence_is_found_with_its_line() -> None:
    (problem,) = problems("page.md", f"# Title\n\nShort.\n\n{LONG}.\n")
    assert (problem.line, problem.page) == (5, "page.md")
    assert problem.message.startswith(f"{MOST_WORDS + 1} words")
    assert str(problem).startswith("page.md:5: ")


@pytest.mark.parametrize(
    "text",
    [
        f"```sh\n{LONG}\n```\n",
        f"A command is one word: `{LONG}`.\n",
        f"- {' '.join(['word'] * MOST_WORDS)}\n- and one more item\n",
        f"| a | b |\n|---|---|\n| {' '.join(['word'] * MOST_WORDS)} | x |\n",
        "[a link](https://example.com/" + "a" * 300 + ") is its text.\n",
    ],
)
def test_code_items_and_cells_are_texts_of_their_own(text: str) -> None:
    assert messages(text) == []


def test_a_long_sentence_in_a_list_and_in_a_table_is_found() -> None:
    assert len(messages(f"- {LONG}\n")) == 1
    assert len(messages(f"| a |\n|---|\n| {LONG} |\n")) == 1


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("A node is dialled first.", "contact"),
        ("Every mistake is told at once.", "report"),
        ("That has met no test yet.", "untested"),
        ("Design decision 4 says so.", "docs/design.md"),
        ("It puts everything back.", "rolls back"),
    ],
)
def test_a_phrase_to_avoid_is_found_with_what_to_write(text: str, write: str) -> None:
    assert any(write in message for message in messages(text))


@pytest.mark.parametrize("text", ["`dialled` is quoted.", "Cordials and mendicants.", "The node is contacted."])
def test_words_in_code_and_parts_of_words_are_left_alone(text: str) -> None:
    assert messages(text) == []


def test_the_command_names_what_it_finds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(prose, "REPOSITORY", tmp_path)
    (tmp_path / "README.md").write_text(f"{LONG}.\n")
    assert prose.main([]) == 1
    assert capsys.readouterr().out.startswith("README.md:1: 26 words")
    (tmp_path / "README.md").write_text("Short.\n")
    assert prose.main([str(tmp_path / "README.md")]) == 0
    assert capsys.readouterr().out == ""


CODE = '''"""What a file is for."""
LIMIT = 5
"""The most that is told."""


def find(name: str) -> None:
    """Find a thing.

    Args:
        name: Its name. Sentences of arguments end without a stop
        other: as ``told`` here, which is code.
    """
    print("The node is dialled: a text, and no docstring.")
'''


def test_docstrings_are_checked_at_their_lines_and_other_texts_are_not() -> None:
    found = prose.docstring_problems("a.py", CODE)
    assert [(problem.line, problem.message.partition(":")[0]) for problem in found] == [(3, "'is told'")]


def test_a_python_file_is_checked_by_its_docstrings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(prose, "REPOSITORY", tmp_path)
    (tmp_path / "auditlog/policy").mkdir(parents=True)
    (tmp_path / "auditlog/policy/read.py").write_text(f'"""{LONG}."""\n')
    assert prose.main([]) == 1
    assert capsys.readouterr().out.startswith("auditlog/policy/read.py:1: 26 words")
