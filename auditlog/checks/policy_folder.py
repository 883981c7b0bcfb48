"""Files of admission policies on a node that its API server refuses: it would not start again with them.

What an API server refuses of such a file is in k8s.io/apiserver, pkg/admission/plugin/manifest and
pkg/admission/plugin/policy/manifest/loader. Whether CEL compiles only the API server knows: it says what it has taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from auditlog.annotations.model import STATIC_SUFFIX
from auditlog.annotations.read import UNREADABLE
from auditlog.annotations.render import BINDING, POLICY
from auditlog.checks.finding import Finding, Severity
from auditlog.nodes.facts import Facts

_OURS = ""
"""Stands for the stack's own file among the names of files."""
_UNSTARTED = "the API server does not start again after a restart"


def policy_folder_findings(facts: Facts, ours: str = "") -> Iterator[Finding]:
    """What is wrong in the folder that the API server reads. ``ours`` is the stack's own file as it will be there."""
    folder = facts.policy_folder
    if folder is None:
        return
    refused = {each.name: "is neither a file nor a link to one" for each in folder.files if not each.is_file}
    if folder.taken_sha256 != folder.sha256:
        texts = {each.name: each.text for each in folder.files if each.text is not None}
        refused |= _refused({_OURS: ours, **texts})
    for name, reason in refused.items():
        yield Finding(
            "admission-policies-refused",
            f"{folder.path}/{name} {reason}",
            _UNSTARTED,
            Severity.ERROR,
            f"correct it, or move it out of {folder.path}",
        )
    names = ", ".join(each.name for each in folder.files)
    if names and not refused and folder.taken_sha256 not in (None, folder.sha256):
        yield Finding(
            "admission-policies-not-taken",
            f"the API server works by other admission policies than those in {folder.path} now",
            f"if it refuses one of them ({names}), {_UNSTARTED}",
            remedy="the API server's log says which and why",
        )


def _refused(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Why the API server refuses a file, by its name: the first reason of each. The stack's own is left out."""
    found: dict[str, str] = {}
    objects: list[tuple[str, Any]] = []
    for file, text in texts.items():
        try:
            documents = [each for each in YAML(typ="safe").load_all(text) if each is not None]
        except UNREADABLE as error:
            found[file] = f"is no YAML: {' '.join(str(error).split())}"
        else:
            objects += [(file, each) for document in documents for each in _items(document)]
    policies = {_name(each) for _, each in objects if _kind(each) == POLICY}
    seen: set[tuple[str, str]] = set()
    for file, each in objects:
        reason = _reason(each, policies)
        if reason is None and (_kind(each), _name(each)) in seen:
            reason = f"has a {_kind(each)} {_name(each)}, which is there already"
        seen.add((_kind(each), _name(each)))
        if reason is not None:
            found.setdefault(file, reason)
    found.pop(_OURS, None)
    return found


def _items(document: Any) -> Iterator[Any]:
    """The objects of a document, which may be a list of them."""
    if isinstance(document, dict) and isinstance(document.get("items"), list) and _kind(document).endswith("List"):
        for each in document["items"]:
            yield from _items(each)
    else:
        yield document


def _reason(document: Any, policies: Collection[str]) -> str | None:
    """Why the API server refuses this object; None if nothing is seen. ``policies`` are the names of all policies."""
    kind, name = _kind(document), _name(document)
    if kind not in (POLICY, BINDING):
        return f"has an object of kind {kind or 'none'}; allowed: {POLICY}, {BINDING}"
    if not name.endswith(STATIC_SUFFIX):
        return f"has a {kind} {name!r}; allowed: a name that ends in {STATIC_SUFFIX}"
    spec = document.get("spec")
    given = spec if isinstance(spec, dict) else {}
    for key in ("paramKind", "paramRef"):
        if given.get(key):
            return f"has spec.{key} in {kind} {name}; allowed in a file: none"
    if kind == BINDING and given.get("policyName") not in policies:
        return f"has a {kind} {name} of the policy {given.get('policyName')!r}; allowed: one in the same folder"
    return None


def _kind(document: Any) -> str:
    return str(document.get("kind") or "") if isinstance(document, dict) else ""


def _name(document: Any) -> str:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
