"""Every command in README.md and docs/ is one that the program, the Makefile or the tool itself takes.

Nothing is run that changes anything: our own commands go through their real argument parsers, others are held
against what the real tool's ``--help`` says. What is for a node's own shell, in the recovery guide,
is run in ``test_recovery.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from auditlog.cli import build_parser
from auditlog.settings import KEYS, SECRET_KEYS
from auditlog.settings.outputs import OUTPUTS
from auditlog.settings.reference import reference_text
from auditlog.stack_file.check import check_stack_file
from lab.__main__ import build_parser as build_lab_parser
from lab.tools import KUBERNETES_MINORS
from tests.unit.docs.pages import LANGUAGES, ROOT, Block, Command, blocks, commands, name, pages

BINARIES = ROOT / ".lab" / "bin"
KUBERNETES = BINARIES / f"kubernetes-{KUBERNETES_MINORS[0]}"
RECOVERY = ROOT / "docs" / "guides" / "recovery.md"

PAGES = pages()
COMMANDS = [
    command
    for page in PAGES
    for command in commands(page)
    if page != RECOVERY or command.words[0] in ("kubectl", "kubeadm", "pulumi")
]
PLACEHOLDERS = {"KEY", "NAME"}
EXAMPLES = {"TIME": "24h"}
"""What stands for a placeholder whose form is checked."""
LEAST = {"auditlog": 80, "lab": 12, "make": 12, "pulumi": 100, "ci": 10, "kubectl": 25, "kubeadm": 15}
"""How many of each kind there are at least: a page that is not read any more, or a block that is no longer known as
commands, fails here."""

_INDEX = re.compile(r"\[\d+\]")


def refusal(parse: Callable[[list[str]], object], words: list[str]) -> str | None:
    """What the parser says against these words; None when it takes them."""
    said = open(os.devnull, "w")  # noqa: SIM115, PTH123  closed by the context below
    with said, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            parse(words)
        except SystemExit as end:
            return None if end.code == 0 else f"refused with {end.code}"
    return None


@cache
def help_of(binary: Path, subcommand: tuple[str, ...]) -> str:
    """What the tool says of one of its commands; that of the command above it, or nothing, when there is none."""
    with TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "PULUMI_HOME": home}

        def ask(*words: str) -> str:
            environment["PULUMI_SKIP_UPDATE_CHECK"] = "true"
            asked = subprocess.run([binary, *words], env=environment, capture_output=True, text=True, check=False)
            return asked.stdout if asked.returncode == 0 else ""

        return ask(*subcommand, "--help") + (ask("options") if binary.name == "kubectl" else "")


def refused_by_tool(binary: Path, depth: int, words: tuple[str, ...]) -> str | None:
    """What of the words the tool does not know; its commands are up to ``depth`` words deep."""
    while words[1:2] == ("-n",):  # the namespace may come before the command
        words = (words[0], *words[3:], *words[1:3])
    words = words[: words.index("--")] if "--" in words else words
    subcommand: list[str] = []
    for word in words[1 : depth + 1]:
        said = help_of(binary, (*subcommand, word)) if re.fullmatch(r"[a-z-]+", word) and word[0] != "-" else ""
        if said in ("", help_of(binary, tuple(subcommand))):
            break
        subcommand.append(word)
    if not subcommand:
        return f"{binary.name} has no command {words[1:2]}"
    known = set(re.findall(r"(?<!\S)(--?[A-Za-z][\w-]*)", help_of(binary, tuple(subcommand))))
    unknown = [word.partition("=")[0] for word in words if word[0] == "-" and word.partition("=")[0] not in known]
    return f"{' '.join([binary.name, *subcommand])} has no option {unknown}" if unknown else None


def setting_keys() -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", reference_text(), re.MULTILINE)) | {*KEYS, *SECRET_KEYS}


def wrong_setting(words: tuple[str, ...]) -> str | None:
    """Whether ``pulumi config set|rm`` names a setting that is not there."""
    key = next(word for word in words[3:] if not word.startswith("-"))
    known = _INDEX.sub("[]", key) in setting_keys() or key in PLACEHOLDERS
    if "--path" not in words and key not in {*KEYS, *SECRET_KEYS, *PLACEHOLDERS}:
        return f"{key} needs --path, or is no setting"
    return None if known else f"{key} is no setting"


def problem(command: Command) -> str | None:
    words = command.words
    match words[0]:
        case "python" | "python3" | ".venv/bin/python":
            return module_problem(command)
        case "auditlog":
            return parser_problem(build_parser(), list(words[1:]), command)
        case "kubectl" if words[1:2] == ("audit",):
            return parser_problem(build_parser(), list(words[2:]), command)
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            wrong = [word for word in words[1:] if word not in targets and not re.fullmatch(r"[A-Z_]+=\S+", word)]
            return f"no target {wrong}; there are {', '.join(targets)}" if wrong or len(words) < 2 else None
        case "pulumi":
            if words[1:3] in (("config", "set"), ("config", "rm")) and (wrong_key := wrong_setting(words)):
                return wrong_key
            if words[1:3] == ("stack", "output") and len(words) > 3:
                names = {output.name for output in OUTPUTS} | PLACEHOLDERS
                if words[3] not in names and not words[3].startswith("-"):
                    return f"no output {words[3]}"
            return refused_by_tool(BINARIES / "pulumi", 2, words)
        case "kubectl" | "kubeadm":
            return refused_by_tool(KUBERNETES / words[0], 3, words)
        case script if script.startswith("ci/"):
            path = ROOT / script
            if not os.access(path, os.X_OK):
                return "no script that can be run"
            named = script == "ci/check" or command.in_text
            return None if named or len(words) > 1 else "the environment is missing"
        case tool if tool in ELSEWHERE:
            return None
    return f"nothing checks {words[0]!r}: give it a check here, or a reason in ELSEWHERE"


ELSEWHERE = {
    "pipx": "installs the command: tests/unit/cli/test_installed_package.py installs the same wheel",
    "eval": "ssh-agent's own way to be started",
    "ssh-add": "of OpenSSH; one file",
    "ssh": "reads a file of the node: cat, with the file's path",
    "cat": "shows a file",
    "base64": "decodes what kubectl shows",
    "openssl": "shows a certificate request; what it is given comes from kubectl",
    "grep": "searches a file",
    "export": "a variable for the commands after it",
    "semanage": "of SELinux, which no machine of these tests enforces; the page says that it is untested",
    "restorecon": "the same",
}


def test_every_tool_that_is_left_unchecked_is_used() -> None:
    assert ELSEWHERE.keys() <= {command.words[0] for command in COMMANDS}


def parser_problem(parser: ArgumentParser, arguments: list[str], command: Command) -> str | None:
    if command.in_text and all(re.fullmatch("[a-z]+", word) for word in arguments):
        # A sentence may name a command without what it works on.
        arguments.append("--help")
    return refusal(parser.parse_args, [EXAMPLES.get(word, word) for word in arguments])


def module_problem(command: Command) -> str | None:
    words = command.words
    if words[1:2] != ("-m",) or len(words) < 3:
        return "not of the form python -m MODULE"
    module, arguments = words[2], list(words[3:])
    match module:
        case "auditlog" | "lab":
            return parser_problem(build_parser() if module == "auditlog" else build_lab_parser(), arguments, command)
        case "pytest":
            missing = [path for path in arguments if not path.startswith("-") and not (ROOT / path).exists()]
            return f"{missing} is not there" if missing else None
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return f"no module {module}"
    source = Path(found.origin).with_name("__main__.py") if found.submodule_search_locations else Path(found.origin)
    unknown = [word for word in arguments if word.startswith("--") and f'"{word}"' not in source.read_text()]
    return f"{module} has no {unknown}" if unknown else None


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_is_one_that_can_be_run(command: Command) -> None:
    assert problem(command) is None


def test_there_are_commands_of_every_kind() -> None:
    seen = Counter(kind(command) for command in COMMANDS)
    assert {each: count for each, count in LEAST.items() if seen[each] < count} == {}


def kind(command: Command) -> str:
    words = command.words
    if words[0].startswith("ci/"):
        return "ci"
    return words[2] if words[1:2] == ("-m",) else words[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("auditlog inspect", "refused with 2"),
        ("kubectl audit lint policy.yaml --no-such-option", "refused with 2"),
        ("auditlog who --verb delete --since soon audit.log", "refused with 2"),
        ("python -m auditlog no-such-command", "refused with 2"),
        ("python -m lab up --cluster x", "refused with 2"),
        ("make no-such-target", "no target"),
        ("pulumi config set --path auditLog.maxAges 3", "is no setting"),
        ("pulumi config set auditLog.maxAge 3", "needs --path"),
        ("pulumi preview --no-such-option", "has no option"),
        ("pulumi plan", "has no command"),
        ("kubectl get pods --no-such-option", "has no option"),
        ("pulumi stack output answers", "no output"),
        ("ci/release prod", "no script"),
        ("ci/deploy", "environment is missing"),
        ("python -m bench.outage --no-such-option", "has no"),
        ("python -m pytest tests/lab/test_no_such_thing.py", "is not there"),
        ("no-such-tool", "nothing checks"),
    ],
)
def test_a_command_that_is_wrong_is_found(line: str, says: str) -> None:
    assert says in (problem(Command("here:1", tuple(line.split()))) or "nothing")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_code_block_says_what_it_holds(page: Path) -> None:
    assert [(block.line, block.language) for block in blocks(page) if block.language not in LANGUAGES] == []
    indented = re.findall(
        r"\n\n(?: {4}|\t)(?! *[-*\d])\S.*", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    )
    assert indented == [], "an indented block says nothing of what it holds; use ```sh or another fence"


ENCRYPTED = {"secure": "v1:bm9uZQ==:bm9uZQ=="}
BASE = {
    "cluster": "example",
    "nodes": [
        {
            "name": "cp1",
            "host": "192.0.2.11",
            "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8sSWD22D4AGl82Uk/Sh3mVZ5i3C2wmc1Y6LRlWI67Q",
        }
    ],
    "kubeconfig": ENCRYPTED,
    "sshPrivateKey": ENCRYPTED,
    "sshReadingPrivateKey": ENCRYPTED,
}
SNIPPETS = [
    block
    for page in PAGES
    for block in blocks(page)
    if "kubernetes-audit:" in block.text and "\nruntime: yaml\n" not in block.text  # a program: test_package.py runs it
]


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: f"{name(block.page)}:{block.line}")
def test_a_part_of_a_stack_file_is_right(block: Block) -> None:
    """Its keys in place of those of a whole file that is right; no policy file is looked for."""
    assert block.language == "yaml"
    document = yaml.safe_load(block.text)
    given = document.get("config", document)
    config = {**BASE, **{key.removeprefix("kubernetes-audit:"): value for key, value in given.items()}}
    text = yaml.safe_dump({"config": {f"kubernetes-audit:{key}": value for key, value in config.items()}})
    checked = check_stack_file("the page", text, "kubernetes-audit", ROOT)
    assert [mistake.message for mistake in checked.mistakes] == []


def test_there_are_parts_of_stack_files() -> None:
    assert len(SNIPPETS) >= 8
