"""The settings of audit annotations: how they get into events, and which."""

from __future__ import annotations

from auditlog.annotations.read import catalogue_names
from auditlog.settings.kinds import Choice
from auditlog.settings.kinds_of_many import Names, Texts
from auditlog.settings.model import AnnotationDelivery, AnnotationSettings
from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import defaulted

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
ANNOTATIONS = Group((DELIVERY, LEAVE_OUT, FILES))


def parse_annotations(reader: Reader | None) -> AnnotationSettings:
    if reader is None:
        return AnnotationSettings()
    return AnnotationSettings(reader.read(DELIVERY), reader.read(LEAVE_OUT), reader.read(FILES))
