"""What every installer has to bring to a machine, and what it makes of it. Pure: from settings to texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from auditlog.manifest.audit_flags import LOG_FLAG
from auditlog.manifest.desired import POLICY_ANNOTATION, Flag, HostMount, audit_configuration, sha256
from auditlog.policy.model import Policy
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from auditlog.settings import Settings

WEBHOOK_LOST = (
    "the webhook is left out: its kubeconfig holds a secret that the stack file keeps encrypted, and nothing is sent "
    "before the stack is deployed"
)
ANNOTATIONS_LOST = (
    "annotations.delivery: files is left out: they are merged with each API server's own AdmissionConfiguration when "
    "the stack is deployed; until then no event says what changed"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The audit logging of one stack."""

    policy_text: str
    """The policy, as it is to be on the machine."""
    policy_path: str
    """Where the API server reads it."""
    flags: tuple[Flag, ...]
    """The API server's flags."""
    mounts: tuple[HostMount, ...]
    """What of the machine the API server sees."""
    has_webhook: bool = False
    """Whether the stack has a webhook, which ``flags`` leave out."""
    has_annotation_files: bool = False
    """Whether files of the nodes annotate, which ``flags`` leave out."""

    @property
    def policy(self) -> Policy:
        return policy_as_read(self.policy_text, "the policy")

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of the API server's pod, by which a policy that changes restarts it."""
        return {POLICY_ANNOTATION: sha256(self.policy_text)}

    @property
    def lost(self) -> tuple[str, ...]:
        """What no installer can bring."""
        lost = ((WEBHOOK_LOST, self.has_webhook), (ANNOTATIONS_LOST, self.has_annotation_files))
        return tuple(sentence for sentence, is_lost in lost if is_lost)

    @property
    def log_path(self) -> str | None:
        return self.value(LOG_FLAG)

    @property
    def log_folder(self) -> str | None:
        return str(PurePosixPath(self.log_path).parent) if self.log_path else None

    def value(self, name: str) -> str | None:
        """The value of a flag; None if it is not set."""
        return next((flag.value for flag in self.flags if flag.name == name), None)

    def arguments(self, *without: str) -> list[str]:
        """The flags as ``name=value``, but those named."""
        return [f"{flag.name}={flag.value}" for flag in self.flags if flag.name not in without]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an installer gets."""

    files: Mapping[str, str]
    """Texts by path: ``files/…`` go to that path on each control-plane machine before the installer runs."""
    lost: tuple[str, ...] = ()
    """What this installer cannot express, and what that changes in the log."""
    notes: tuple[str, ...] = ()
    """What to know besides."""


def wanted(settings: Settings, policy: SelectedPolicy) -> Wanted:
    """What these settings ask of an API server, without the webhook, whose kubeconfig holds a secret."""
    configuration = audit_configuration(settings.policy, settings.log)
    return Wanted(
        policy.text,
        settings.policy.path,
        configuration.flags,
        configuration.mounts,
        settings.webhook is not None,
        settings.annotations.in_files,
    )


def on_machine(path: str) -> str:
    """The name in ``Rendered.files`` of a file on the machine."""
    return f"files{path}"


def as_yaml(*documents: Mapping[str, Any], head: str = "") -> str:
    """YAML in which long texts are blocks, with comments at the top."""
    comments = "".join(f"# {line}\n" for line in head.splitlines())
    return comments + yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
