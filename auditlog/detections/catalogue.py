"""All detections, by area.

They come from an article on audit logs in forensics and from the public catalogues (Sigma, Elastic, Falco). Not taken
over are:

- Deleted Deployments, changed CronJobs, listing by tools. People and pipelines do these every day. They belong on a
  dashboard, since an alert that is always on is none.
- ConfigMaps with credentials in them. Only a log with the bodies of ConfigMaps shows these, and such a log holds the
  credentials (lint: `credential-bodies`).
"""

from __future__ import annotations

from auditlog.detections import access, credentials, identity, pipeline, retention, sessions, tampering, workloads
from auditlog.detections.model import Detection

AREAS: dict[str, tuple[Detection, ...]] = {
    "identity": identity.DETECTIONS,
    "credentials": credentials.DETECTIONS,
    "sessions": sessions.DETECTIONS,
    "access": access.DETECTIONS,
    "workloads": workloads.DETECTIONS,
    "tampering": tampering.DETECTIONS,
    "pipeline": pipeline.DETECTIONS,
    "retention": retention.DETECTIONS,
}
"""The detections of each module of this package; the keys are names for people and for groups of rules."""

DETECTIONS: tuple[Detection, ...] = tuple(each for area in AREAS.values() for each in area)


def find(detection_id: str) -> Detection | None:
    """The detection with this id, or None."""
    return next((each for each in DETECTIONS if each.id == detection_id), None)
