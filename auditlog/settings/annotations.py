"""The settings of audit annotations: how they get into events, and which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from auditlog.annotations.model import Entry
from auditlog.annotations.read import catalogue_names, selected_entries
from auditlog.settings.kinds import Choice
from auditlog.settings.kinds_of_many import Names, Texts
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted


class AnnotationDelivery(StrEnum):
    """How annotations get into events."""

    OFF = "off"
    API = "api"
    """By admission policies that are objects of the cluster."""


@dataclass(frozen=True, slots=True)
class AnnotationSettings:
    """What admission policies add to events at Metadata."""

    delivery: Annotated[AnnotationDelivery, DELIVERY] = AnnotationDelivery.OFF
    """How annotations get into events."""
    leave_out: Annotated[tuple[str, ...], LEAVE_OUT] = ()
    """Names of entries of the catalogue that are not used."""
    files: Annotated[tuple[str, ...], FILES] = ()
    """Paths of entries besides the catalogue, relative to the project."""

    @property
    def are_on(self) -> bool:
        """Whether there are any."""
        return self.delivery is not AnnotationDelivery.OFF


_DEFAULT = AnnotationSettings()

DELIVERY = defaulted(
    "delivery",
    Choice(AnnotationDelivery),
    _DEFAULT.delivery,
    "How annotations get into events. With `api`, admission policies in the cluster write them; requires the secret "
    "`kubeconfig` or `kubeconfigFile`.",
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
ANNOTATIONS = group_of(AnnotationSettings)


def parse_annotations(reader: Reader | None) -> AnnotationSettings:
    return AnnotationSettings() if reader is None else filled(AnnotationSettings, reader)


def used_entries(settings: AnnotationSettings, project: Path = Path()) -> tuple[Entry, ...]:
    """The entries in use; none if delivery is off. Paths start from ``project``. Raises AnnotationError."""
    return selected_entries(settings.leave_out, settings.files, project) if settings.are_on else ()
