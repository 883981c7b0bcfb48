"""``python -m lab.prose [FILE ...]``: the part of our writing rules that a machine can check. ``make lint`` runs it.

It reports sentences of more than 25 words, and phrases that read like a translation, with what to write instead. It
reads pages, and the docstrings of Python files.

- Code counts as one word, and the words in it are not checked.
- A list item or table cell is checked by itself. In a cell, a semicolon ends a sentence too, because cells are notes.

No linter from PyPI fits. proselint has neither sentence length nor a project's own word list. The package ``vale``
downloads its program when it first runs, without a hash. markdown-it-py reads the Markdown; rich requires it anyway.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lab.paths import REPOSITORY

MOST_WORDS = 25
PAGES = ("*.md", "lab/README.md", "package/README.md", "docs/**/*.md")
NOT_OURS = ("docs/examples/pages/",)
"""Pages that a program printed."""
CODE = ("*.py", "auditlog/**/*.py", "components/**/*.py", "lab/**/*.py")

INSTEAD = {
    r"dial(s|led|ling)?": "contact",
    r"(is|are|was|be|been) told": "report, print",
    r"(is|are) said": "print, report",
    r"tells? (what|which|whether|how|why|of)": "report, show, explain",
    r"says? of": "says about",
    r"(with|from|than|not|is|and|or|to) (that|those) of|the ones? of": "name the thing again, or 's",
    r"as it does|in need of|of no (more )?use": "say it directly: requires, has no effect",
    r"of (its|their|his|your|our) own(?=[.,;:!?)]|$| (and|or|that|with)\b)": "its own NOUN, separate",
    r"of (ours|yours|theirs)": "our, your, their",
    r"without (it|them):": "Default:",
    r"met no test": "untested",
    r"(is|was|are|were) sent again|what was sent again": "re-sent",
    r"looks? after|sees? to": "name what it does",
    r"puts? (everything|it|them|all) back|put back": "rolls back, restores",
    r"gives? back|given back|gives? .{1,40} back": "restores",
    r"mend(s|ed|ing)?": "fix, repair",
    r"anew": "again, new",
    r"without a word": "silently",
    r"stands? (twice|in|at|under|there)": "appears, is",
    r"stand-ins?|stood in": "fake, replacement",
    r"mistakes?": "error",
    r"in clear": "in plain text",
    r"do(es)? without": "skips, works without NOUN",
    r"taken? back": "rolled back",
    r"is no more|(that|which) is there|where there is( one)?": "exists, no longer exists, if any",
    r"kind (error|warning)": "errors, warnings",
    r"no reason to": "say what happens",
    r"thereof|hereby|therein|wherein": "two sentences",
    r"design decision|decision \d+|seed \d+|\.\./shared": "the reason itself, or a link to docs/design.md",
}
"""Words to avoid, as regular expressions, and what to write."""

_AVOIDED = tuple((re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE), words) for words in INSTEAD)
_END = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+(?=[\"'(\[*_]*(?:[A-Z0-9`…]|kube|etcd\b|sshd\b))")
_CELL_END = re.compile(r"(?<=[.!?;·])\s+")
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|No)\.\s")
_ARGUMENT = re.compile(r"^ {4}(\w+):(?= )", re.MULTILINE)
"""How an argument begins below `Args:`."""
_CODE = "`code`"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to write differently."""

    page: str
    line: int
    """Where the paragraph, list item or table row begins, counted from 1."""
    message: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.message}"


def problems(page: str, text: str) -> list[Problem]:
    """Return the problems of one Markdown text, from top to bottom."""
    found: list[Problem] = []
    for line, passage, is_cell in _passages(text):
        for sentence in sentences(passage, is_cell):
            found += [Problem(page, line, message) for message in _of_sentence(sentence)]
    return found


def text_problems(name: str, text: str) -> list[Problem]:
    """Return the problems of a plain text without Markdown, such as a command's help: notes, as in a table cell."""
    return [Problem(name, 1, message) for each in sentences(text, is_cell=True) for message in _of_sentence(each)]


def docstring_problems(name: str, source: str) -> list[Problem]:
    """Return the problems of a Python file's docstrings, those of fields and constants included, from top to bottom."""
    texts = [
        (node.lineno, inspect.cleandoc(node.value.value))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return [
        Problem(name, line + found.line - 1, found.message)
        for line, text in sorted(texts)
        for found in problems(name, _ARGUMENT.sub(r"- \1:", text.replace("``", "`")))
    ]


def sentences(passage: str, is_cell: bool = False) -> list[str]:
    """Divide a text without markup into sentences."""
    held = _ABBREVIATIONS.sub(lambda match: match[0].replace(".", "\0"), passage)
    divided = (_CELL_END if is_cell else _END).split(held)
    return [each.replace("\0", ".").strip() for each in divided if each.strip()]


def words(sentence: str) -> int:
    """Count words; punctuation that stands alone is none."""
    return sum(1 for word in sentence.split() if any(map(str.isalnum, word)))


def _of_sentence(sentence: str) -> Iterator[str]:
    if (count := words(sentence)) > MOST_WORDS:
        yield f"{count} words, at most {MOST_WORDS}: {sentence[:60]}…"
    for pattern, key in _AVOIDED:
        if match := pattern.search(sentence):
            yield f"{match[0]!r}: write {INSTEAD[key]!r}: …{sentence[max(0, match.start() - 30) : match.end() + 20]}…"


def _passages(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each text with the number of its line and whether it is a table cell."""
    line, is_cell = 1, False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        is_cell = token.type in ("td_open", "th_open") or (is_cell and token.type not in ("td_close", "th_close"))
        if token.map is not None:
            line = token.map[0] + 1
        if token.type == "inline":
            yield line, "".join(_plain(token.children or ())), is_cell


def _plain(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        match token.type:
            case "text":
                yield token.content
            case "code_inline":
                yield _CODE
            case "softbreak" | "hardbreak":
                yield " "
            case "image":
                yield "".join(_plain(token.children or ()))


def main(arguments: Sequence[str]) -> int:
    """Check the named files, or all. Returns 1 if there are problems."""
    named = [Path(each).resolve() for each in arguments]
    paths = named or sorted({path for pattern in (*PAGES, *CODE) for path in REPOSITORY.glob(pattern)})
    found: list[Problem] = []
    for path in paths:
        name = str(path.relative_to(REPOSITORY))
        if not name.startswith(NOT_OURS):
            check = docstring_problems if path.suffix == ".py" else problems
            found += check(name, path.read_text())
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
