"""The settings of audit annotations: how they get into events, and which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from auditlog.annotations.model import Entry
from auditlog.annotations.read import catalogue_names, selected_entries
from auditlog.annotations.render import static_manifests
from auditlog.settings.kinds import Choice
from auditlog.settings.kinds_of_many import Names, Texts
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted
from auditlog.settings.texts import PATH_ON_NODES


class AnnotationDelivery(StrEnum):
    """How annotations get into events."""

    OFF = "off"
    API = "api"
    """By admission policies that are objects of the cluster."""
    FILES = "files"
    """By the same policies in files of each control-plane node."""


DEFAULT_FOLDER = "/etc/kubernetes/audit-annotations"
STATIC_FILE = "audit-annotations.yaml"
"""The file in the folder that holds all policies."""


@dataclass(frozen=True, slots=True)
class AnnotationSettings:
    """What admission policies add to events at Metadata."""

    delivery: Annotated[AnnotationDelivery, DELIVERY] = AnnotationDelivery.OFF
    """How annotations get into events."""
    leave_out: Annotated[tuple[str, ...], LEAVE_OUT] = ()
    """Names of entries of the catalogue that are not used."""
    files: Annotated[tuple[str, ...], FILES] = ()
    """Paths of entries besides the catalogue, relative to the project."""
    folder: Annotated[str, FOLDER] = DEFAULT_FOLDER
    """The folder on the nodes that the policies lie in, where files deliver."""

    @property
    def are_on(self) -> bool:
        """Whether there are any."""
        return self.delivery is not AnnotationDelivery.OFF

    @property
    def in_files(self) -> bool:
        """Whether files of the nodes deliver."""
        return self.delivery is AnnotationDelivery.FILES

    @property
    def static_path(self) -> str:
        """The file on the nodes that holds all policies."""
        return f"{self.folder}/{STATIC_FILE}"


_DEFAULT = AnnotationSettings()

DELIVERY = defaulted(
    "delivery",
    Choice(AnnotationDelivery),
    _DEFAULT.delivery,
    "How annotations get into events. With `api`, admission policies in the cluster write them; requires the secret "
    "`kubeconfig` or `kubeconfigFile`. With `files`, each API server reads them from its node; requires Kubernetes "
    "1.37.",
)
LEAVE_OUT = defaulted(
    "leaveOut",
    Names(catalogue_names(), "the name of a file in `annotations/`, without `.yaml`"),
    _DEFAULT.leave_out,
    "Entries of the catalogue that are not used.",
)
FILES = defaulted(
    "files",
    Texts("paths of files like those in `annotations/`, relative to the project", bool),
    _DEFAULT.files,
    "Your own entries, besides the catalogue. A file is named as its entry.",
)
FOLDER = defaulted(
    "folder",
    PATH_ON_NODES,
    DEFAULT_FOLDER,
    "The folder on the nodes for `delivery: files`. An API server reads one: name the one that it has, if any.",
)
ANNOTATIONS = group_of(AnnotationSettings)


def parse_annotations(reader: Reader | None) -> AnnotationSettings:
    return AnnotationSettings() if reader is None else filled(AnnotationSettings, reader)


def used_entries(settings: AnnotationSettings, project: Path = Path()) -> tuple[Entry, ...]:
    """The entries in use; none if delivery is off. Paths start from ``project``. Raises AnnotationError."""
    return selected_entries(settings.leave_out, settings.files, project) if settings.are_on else ()


def static_policies(settings: AnnotationSettings, project: Path = Path()) -> str:
    """The file of admission policies on the nodes; empty where files deliver none. Raises AnnotationError."""
    return static_manifests(used_entries(settings, project)) if settings.in_files else ""
