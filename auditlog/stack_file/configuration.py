"""A stack's whole configuration, secrets included: what the program and ``config check`` both ask of it.

The program has it from the engine, with secrets decrypted. ``auditlog.stack_file.read`` has it from the file, with
encrypted values as they are. Both hand it to this module, so both report an error in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from auditlog.policy.presets import preset_names
from auditlog.settings.fleet import STACK_FILE_ONLY
from auditlog.settings.kinds import Choice, Switch, Text
from auditlog.settings.kinds_of_many import Texts
from auditlog.settings.mistake import Mistake, SettingsError
from auditlog.settings.parse import SECRET_KEYS, SECRETS, STACK, Settings, parse_settings
from auditlog.settings.reader import Group, Groups
from auditlog.settings.setting import Setting

_KINDS = {setting.key: setting.kind for setting in (*STACK.settings, *STACK_FILE_ONLY, *SECRETS)}


def is_text(key: str) -> bool:
    """Whether a value at the top is a text for the program; every other one is JSON in what the engine hands over."""
    return isinstance(_KINDS.get(key), Text | Choice | Switch)


def holds_keys(key: str) -> bool:
    """Whether a value at the top is a list or a mapping, for which the engine takes no text."""
    return isinstance(_KINDS.get(key), Group | Groups | Texts)


def decoded(key: str, written: str) -> Any:
    """The value of a key at the top from the text that the engine hands over; a text that is no JSON stays one."""
    if is_text(key):
        return written
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        return written


def check_configuration(
    values: Mapping[str, Any],
    is_encrypted: Callable[[tuple[str, ...]], bool],
    keys_missing: Callable[[Settings], Sequence[Mistake]],
) -> Settings:
    """The settings of a whole configuration. Raises SettingsError with all errors.

    ``values`` maps a key without its namespace to its decoded value, secrets included. ``is_encrypted`` takes the steps
    to a secret that is given, as ``("loki", "password")``, and returns whether it is kept encrypted. ``keys_missing``
    returns the keys that open the nodes and that these settings lack.
    """
    mistakes: list[Mistake] = []
    settings: Settings | None = None
    try:
        settings = parse_settings(
            {key: value for key, value in values.items() if key not in SECRET_KEYS}, preset_names()
        )
    except SettingsError as error:
        mistakes.extend(error.mistakes)
    mistakes.extend(
        Mistake(
            ".".join(steps),
            "is kept in plain text",
            f"a secret, set with pulumi config set --secret {_argument(steps)}",
        )
        for steps in _secrets(values)
        if not is_encrypted(steps)
    )
    if settings is not None:
        mistakes.extend(keys_missing(settings))
        mistakes.extend(_kubeconfig_mistakes(settings, given=bool(values.get("kubeconfig"))))
    if mistakes or settings is None:
        raise SettingsError(mistakes)
    return settings


def missing_reading_key(settings: Settings) -> Mistake:
    """What is wrong where previews read with an account of their own whose key is not there."""
    return Mistake(
        "sshReadingPrivateKey",
        "is missing",
        f"the private key of {settings.reading_user!r} (reading.user), "
        "set with pulumi config set --secret sshReadingPrivateKey <FILE",
    )


def _kubeconfig_mistakes(settings: Settings, *, given: bool) -> Iterator[Mistake]:
    """``given`` says whether the secret is there."""
    if settings.kubeconfig_file is not None:
        if given:
            yield Mistake("kubeconfigFile", "is set, and so is the secret kubeconfig", "one of the two")
        return
    for key, value in settings.in_cluster.items() if not given else ():
        yield Mistake(
            "kubeconfig",
            f"is missing, and {key} is {value!r}",
            "the text of a kubeconfig for the cluster, set with pulumi config set --secret kubeconfig <~/.kube/config; "
            "or kubeconfigFile, the path of one",
        )


def _secrets(values: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The steps to every secret that is given."""
    for steps in SECRET_STEPS:
        found: Any = values
        for step in steps:
            found = found.get(step) if isinstance(found, Mapping) else None
        if found:
            yield steps


def _secret_steps(settings: tuple[Setting[Any], ...], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for setting in settings:
        if setting.secret:
            yield (*before, setting.key)
        elif isinstance(setting.kind, Group):
            yield from _secret_steps(setting.kind.settings, (*before, setting.key))


SECRET_STEPS = (*((key,) for key in SECRET_KEYS), *_secret_steps(STACK.settings))
"""The steps to every setting that must be kept encrypted."""


def _argument(steps: tuple[str, ...]) -> str:
    return f"{steps[0]} <FILE" if len(steps) == 1 else f"--path {'.'.join(steps)} <FILE"
