"""Everything that can be said of a stack file without engine, passphrase or network; the policy that it names included.

Whoever checks a file here and whoever runs the program reads the same words: both come from
``auditlog.stack_file.configuration`` and ``auditlog.policy.selection``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditlog.annotations.read import AnnotationError
from auditlog.policy.lint import Finding, Severity, lint
from auditlog.policy.model import NEWEST_MINOR, PolicyError
from auditlog.policy.overlay import OverlayError
from auditlog.policy.presets import PresetError, preset_names
from auditlog.policy.selection import SelectedPolicy, selected_policy
from auditlog.policy.settings import PolicySettings
from auditlog.policy.validate import policy_as_read
from auditlog.settings.annotations import ANNOTATIONS, parse_annotations, used_entries
from auditlog.settings.fleet import FLEET
from auditlog.settings.mistake import Mistake, Place, SettingsError
from auditlog.settings.parse import KEYS, SECRET_KEYS, Settings
from auditlog.settings.policy import POLICY, parse_policy
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.configuration import check_configuration, missing_reading_key
from auditlog.stack_file.fleet import OF_ONE_STACK, compose, encrypted_keys, layer_mistakes, layers_of, uses_fleet
from auditlog.stack_file.read import StackFile, StackFileError, parse_stack_file

_POLICY_ALLOWED = f"a policy that the API server of Kubernetes 1.{NEWEST_MINOR} takes"


@dataclass(frozen=True, slots=True)
class LocatedMistake:
    """An error with its place, and the message that the program would give.

    ``line`` and ``column`` are counted from 1; ``column`` is None where only the line is known.
    """

    line: int
    key: str
    what: str
    allowed: str
    message: str
    column: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What was found in one stack file.

    ``policy`` names the policy that was linted; None if there is none that can be read. ``encrypted`` are the keys
    in full of values that are there and were not checked. ``environments`` are the Pulumi ESC environments that the
    file imports: whatever it does not set itself may come from there.
    """

    name: str
    mistakes: tuple[LocatedMistake, ...]
    policy: str | None = None
    findings: tuple[Finding, ...] = ()
    encrypted: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether there is no error, and no finding of the policy that is not accepted and more than a remark."""
        serious = [each for each in self.findings if each.silenced is None and each.severity is not Severity.INFO]
        return not self.mistakes and not serious


def check_stack_file(name: str, text: str, project: str, folder: Path) -> CheckedFile:
    """Checks the text of the stack file ``name``.

    ``project`` is the name in Pulumi.yaml, ``folder`` where that file is: a policy's path starts there.
    """
    try:
        file = parse_stack_file(text, project)
    except StackFileError as error:
        line, what = error.line or 1, str(error)
        return CheckedFile(name, (LocatedMistake(line, "", what, "a stack file in YAML", what, error.column),))
    shared: tuple[Mistake, ...] = ()
    own = file.values
    if uses_fleet(own):
        layers, shared = layers_of(own[FLEET.key], folder, project)
        own = compose(layers, own)
    values = _with_environments(own, file.environments)
    mistakes = [_located(mistake, file) for mistake in (*file.mistakes, *shared, *_mistakes(values))]
    selected, wrong = _policy(values, file, text, folder)
    wrong += _entries(values, file, folder)
    findings: tuple[Finding, ...] = ()
    if selected is not None:
        policy = policy_as_read(selected.text, selected.source)
        findings = lint(policy, selected.text, NEWEST_MINOR, audit_log_mode=_log_mode(values))
    return CheckedFile(
        name,
        tuple(sorted((*mistakes, *wrong), key=lambda mistake: mistake.line)),
        selected.source if selected else None,
        findings,
        tuple(encrypted_keys(own)),
        file.environments,
    )


def check_shared_file(name: str, text: str, project: str) -> CheckedFile:
    """The same for a file that stacks share (``auditlog.stack_file.fleet``), as far as no stack is needed for it."""
    try:
        file = parse_stack_file(text, project)
    except StackFileError as error:
        line, what = error.line or 1, str(error)
        return CheckedFile(name, (LocatedMistake(line, "", what, "a file of settings in YAML", what, error.column),))
    own = {key: value for key, value in file.values.items() if key not in (*OF_ONE_STACK, *SECRET_KEYS)}
    placeholder = Encrypted("a stack's")
    needed = ("cluster", "nodes", "sshReadingPrivateKey", *(() if "kubeconfigFile" in own else ("kubeconfig",)))
    # What is required beside a key may come from another file. A secret has no place here, encrypted or not.
    elsewhere = ("is missing", "is kept in plain text")
    wrong = [each for each in _mistakes({**dict.fromkeys(needed, placeholder), **own}) if each.what not in elsewhere]
    mistakes = dict.fromkeys((*layer_mistakes(file), *wrong))
    located = [
        LocatedMistake(file.line_of(each.key), each.key, each.what, each.allowed, str(each)) for each in mistakes
    ]
    return CheckedFile(name, tuple(sorted(located, key=lambda mistake: mistake.line)))


def _with_environments(values: Mapping[str, Any], environments: Sequence[str]) -> Mapping[str, Any]:
    """The values; what an environment may set counts as there, and nothing more is known of it."""
    if not environments:
        return values
    # A kubeconfig comes as a text or as a path, not as both.
    one_of_two = "kubeconfig" if "kubeconfigFile" in values else "kubeconfigFile"
    known = {key: Encrypted("from an environment") for key in (*KEYS, *SECRET_KEYS) if key != one_of_two}
    return {**known, **values}


def _mistakes(values: Mapping[str, Any]) -> Sequence[Mistake]:
    def keys_missing(settings: Settings) -> Sequence[Mistake]:
        # Without sshPrivateKey the SSH agent may hold the key. Only the account for previews has no such way.
        needed = settings.reading_user is not None and settings.live_read
        return [missing_reading_key(settings)] if needed and not values.get("sshReadingPrivateKey") else []

    try:
        check_configuration(values, lambda steps: isinstance(_at(values, steps), Encrypted), keys_missing)
    except SettingsError as error:
        return error.mistakes
    return ()


def _located(mistake: Mistake, file: StackFile) -> LocatedMistake:
    # What a shared file sets is the business of the key that names it.
    is_shared = uses_fleet(file.values) and re.split(r"[.\[]", mistake.key)[0] not in file.lines
    key = FLEET.key if is_shared else mistake.key
    return LocatedMistake(file.line_of(key), mistake.key, mistake.what, mistake.allowed, str(mistake))


def _policy(
    values: Mapping[str, Any], file: StackFile, text: str, folder: Path
) -> tuple[SelectedPolicy | None, list[LocatedMistake]]:
    """The policy and what is wrong with it; nothing of it where its settings are wrong or encrypted."""
    settings = policy_settings(values.get("policy"))
    if settings is None or isinstance(settings.file, Encrypted) or isinstance(settings.text, Encrypted):
        return None, []
    line = file.line_of("policy.file" if settings.file else "policy")
    try:
        return selected_policy(settings, folder), []
    except PolicyError as error:
        return None, [
            LocatedMistake(
                _line_of_inline(file, text, problem.line) or line,
                "policy",
                str(problem),
                _POLICY_ALLOWED,
                problem.at(error.source),
            )
            for problem in error.problems
        ]
    except (PresetError, OverlayError) as error:
        return None, [LocatedMistake(line, "policy", str(error), _POLICY_ALLOWED, str(error))]


def _entries(values: Mapping[str, Any], file: StackFile, folder: Path) -> list[LocatedMistake]:
    """What is wrong with the files of ``annotations``; nothing if they are off, encrypted or wrong already."""
    given = values.get("annotations")
    if given is None or values.get("enabled") is False or any(encrypted_keys({"annotations": given})):
        return []
    mistakes: list[Mistake] = []
    settings = parse_annotations(ANNOTATIONS.read(given, Place("annotations", mistakes)))
    if mistakes:
        return []
    try:
        used_entries(settings, folder)
    except AnnotationError as error:
        key = "annotations.files"
        return [LocatedMistake(file.line_of(key), key, str(error), "entries of audit annotations", str(error))]
    return []


def _line_of_inline(file: StackFile, text: str, line: int) -> int | None:
    """Where this line of a policy stands that is written in the stack file as a block of text; None elsewhere."""
    start = file.lines.get("policy.inline")
    if start is None or not line or not re.search(r":\s+[|>][-+\d]*\s*(#.*)?$", text.splitlines()[start - 1]):
        return None
    return start + line


def policy_settings(values: Any) -> PolicySettings | None:
    """The settings under the key `policy`; None where they are wrong or encrypted."""
    mistakes: list[Mistake] = []
    if isinstance(values, Encrypted):
        return None
    reader = None if values is None else POLICY.read(values, Place("policy", mistakes))
    settings = parse_policy(reader, preset_names())
    return None if mistakes else settings


def _log_mode(values: Mapping[str, Any]) -> str | None:
    mode = _at(values, ("auditLog", "mode"))
    return mode if isinstance(mode, str) and not isinstance(mode, Encrypted) else None


def _at(values: Any, steps: Sequence[str]) -> Any:
    """The value at these steps; an encrypted value hides everything below it."""
    for step in steps:
        if not isinstance(values, Mapping):
            break
        values = values.get(step)
    return values
