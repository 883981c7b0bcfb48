"""The catalogue, and what a policy leaves of it, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from auditlog.detections.annotated import Form, annotated_form
from auditlog.detections.cross_check import Finding, Sight, remedies
from auditlog.detections.logql import value_query
from auditlog.detections.model import Detection, Events, Metrics
from auditlog.policy.write import rule_lines

_ID_WIDTH = 32
_PREVIEW_REASONS = 2

_PROBLEMS = {
    Sight.BLIND: "can never fire: what it looks for is not recorded",
    Sight.NO_BODIES: "can never fire: what it looks for is recorded without the body",
    Sight.PARTIAL: "fires for a part only",
    Sight.FALSE_ALARMS: "fires without a fault on a quiet cluster: the node's heartbeat is not recorded",
}

_TOLD_BY: dict[tuple[Form, ...], str] = {
    (Form.BODIES,): "fires by bodies",
    (Form.ANNOTATIONS,): "fires by annotations",
    (Form.BODIES, Form.ANNOTATIONS): "fires by bodies or annotations",
    (): "would fire by annotations (annotations.delivery)",
}


def catalogue_text(detections: Iterable[Detection]) -> str:
    """A line for each detection."""
    return "".join(f"{each.id:{_ID_WIDTH}} {each.severity.value:9} {each.title}\n" for each in detections)


def catalogue_json(detections: Iterable[Detection]) -> str:
    """A list with everything about each detection but its rules."""
    return _json([_detection_value(each) for each in detections])


def findings_text(findings: Sequence[Finding]) -> str:
    """What does not see all, worst first, with the requests that are not seen and rules that would show them."""
    lines = []
    for sight in _PROBLEMS:
        for finding in (each for each in findings if each.sight is sight):
            lines.append(f"{finding.detection.id}: {_PROBLEMS[sight]}")
            lines += [f"    {words}" for words in finding.unseen]
    lines += _told_by(findings)
    for form, names in _unseen_forms(findings).items():
        lines.append(f"never seen, whatever the policy: {form}: {', '.join(names)}")
    counts = [f"{sum(each.sight is sight for each in findings)} {sight.value}" for sight in Sight]
    lines += [*([""] if lines else []), f"{len(findings)} detections: {', '.join(counts)}"]
    return "\n".join([*lines, ""])


def _told_by(findings: Sequence[Finding]) -> list[str]:
    """How events show those that look for more than a request: by bodies, by annotations, by either, or not at all."""
    found: dict[tuple[Form, ...], list[str]] = {}
    for each in findings:
        if _is_told_by_bodies(each.detection) and each.sight is not Sight.BLIND:
            found.setdefault(each.fires_by, []).append(each.detection.id)
    return [f"{_TOLD_BY[fires_by]}: {', '.join(found[fires_by])}" for fires_by in _TOLD_BY if fires_by in found]


def _is_told_by_bodies(detection: Detection) -> bool:
    return isinstance(detection.source, Events) and detection.source.annotated is not None


def _unseen_forms(findings: Iterable[Finding]) -> dict[str, list[str]]:
    """Forms of a request that no policy makes visible, with the detections that miss them."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        for form in finding.unseen_forms:
            found.setdefault(form, []).append(finding.detection.id)
    return found


def findings_json(policy: str, findings: Sequence[Finding]) -> str:
    """An object with one entry for each detection."""
    entries = [
        {
            **_detection_value(each.detection),
            "sight": each.sight.value,
            "canFire": each.sight.can_fire,
            "unseen": list(each.unseen),
            "unseenForms": list(each.unseen_forms),
            **({"firesBy": [form.value for form in each.fires_by]} if _is_told_by_bodies(each.detection) else {}),
        }
        for each in findings
    ]
    return _json({"policy": policy, "detections": entries})


def remedies_text(findings: Iterable[Finding]) -> str:
    """The rules of `remedies` as YAML for `policy.rulesBefore`, each below the detection that asked for it."""
    return "".join(
        f"  # {detection.id}\n" + "".join(f"{line}\n" for line in rule_lines(rule))
        for detection, rule in remedies(findings)
    )


def preview_warnings(findings: Iterable[Finding]) -> tuple[str, ...]:
    """For a preview: a line for each detection that cannot fire, or that fires without a fault."""
    return tuple(
        f"detection {each.detection.id} {_PROBLEMS[each.sight]} ({_first(each.unseen)}){_remedy(each)}"
        for each in findings
        if each.sight in (Sight.BLIND, Sight.NO_BODIES, Sight.FALSE_ALARMS)
    )


def _remedy(finding: Finding) -> str:
    by_annotations = finding.sight is Sight.NO_BODIES and _is_told_by_bodies(finding.detection)
    return "; annotations would show it (annotations.delivery)" if by_annotations else ""


def preview_note(findings: Iterable[Finding]) -> str:
    """For a preview: which detections fire for a part only; empty when none does."""
    partial = [each.detection.id for each in findings if each.sight is Sight.PARTIAL]
    if not partial:
        return ""
    how = "auditlog detections shows which part"
    return f"detections that see only a part of their requests ({how}): {', '.join(partial)}"


def _first(unseen: Sequence[str]) -> str:
    rest = len(unseen) - _PREVIEW_REASONS
    words = "; ".join(unseen[:_PREVIEW_REASONS])
    return f"{words}; and {rest} more" if rest > 0 else words


def _detection_value(detection: Detection) -> dict[str, object]:
    source = detection.source
    value: dict[str, object] = {
        "id": detection.id,
        "alert": detection.alert,
        "severity": detection.severity.value,
        "title": detection.title,
        "meaning": detection.meaning,
        "falsePositives": detection.false_positives,
        "runbook": detection.runbook,
        "threshold": detection.threshold,
    }
    if isinstance(source, Events):
        value["logql"] = value_query(source)
        if source.annotated is not None:
            value["logqlOfAnnotations"] = value_query(annotated_form(source, source.annotated))
        value["needs"] = [
            {
                "callers": source.callers.value,
                "level": each.level.value,
                "verbs": list(each.verbs),
                "namespaces": list(each.namespaces),
                "resources": [
                    {"group": entry.group, "resources": list(entry.resources), "names": list(entry.resource_names)}
                    for entry in each.resources
                ],
            }
            for each in source.requests
        ]
    elif isinstance(source, Metrics):
        value["metricsOf"] = source.exported_by
    return value


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
