"""A request written the way people talk about kubectl: `alice deletes configmap prod/app-config`.

The phrase becomes what the API server's RequestInfo would hold (`k8s.io/apiserver/pkg/endpoints/request`). A created
object has no name yet. A Namespace object's namespace is its own name. The groups of every user (system:authenticated
and so on) are added.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from auditlog.errors import AuditlogError
from auditlog.policy.model import NEWEST_MINOR, Request
from auditlog.policy.resources import closest_resource, find_resource, is_resource_path

FORMS = """\
USER VERB RESOURCE [NAMESPACE/][NAME]     alice deletes configmap prod/app-config
                                          bob lists secrets            (in all namespaces)
                                          bob lists secrets prod/      (in one)
                                          alice[dev,system:masters] get deployments.apps prod/web
USER VERB RESOURCE/SUBRESOURCE NAMESPACE/NAME
                                          alice create pods/exec default/web
USER VERB /PATH                           system:anonymous get /healthz
USER may be followed by its groups in square brackets; "-" stands for a request without a known user."""
"""The forms a phrase may have, for help texts and error messages."""

_RESOURCE_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_HTTP_VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
_CHANGES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True, slots=True)
class VerbMeaning:
    """The API verbs that a word stands for, and the subresource where it stands for one: `exec` is no verb."""

    verbs: tuple[str, ...]
    subresource: str = ""


_OTHER_WORDS = {
    "remove": VerbMeaning(("delete",)),
    "destroy": VerbMeaning(("delete",)),
    "erase": VerbMeaning(("delete",)),
    "add": VerbMeaning(("create",)),
    "make": VerbMeaning(("create",)),
    "replace": VerbMeaning(("update",)),
    "apply": VerbMeaning(("create", "patch")),
    "edit": VerbMeaning(("update", "patch")),
    "change": VerbMeaning(("update", "patch")),
    "modify": VerbMeaning(("update", "patch")),
    "write": VerbMeaning(_CHANGES),
    "read": VerbMeaning(("get", "list", "watch")),
    "view": VerbMeaning(("get", "list", "watch")),
    "exec": VerbMeaning(("create", "get"), "exec"),
    "execute": VerbMeaning(("create", "get"), "exec"),
    "attach": VerbMeaning(("create", "get"), "attach"),
    "portforward": VerbMeaning(("create", "get"), "portforward"),
    "evict": VerbMeaning(("create",), "eviction"),
    "scale": VerbMeaning(("update", "patch"), "scale"),
}
_IRREGULAR = {
    "got": "get",
    "getting": "get",
    "put": "put",
    "putting": "put",
    "made": "make",
    "applied": "apply",
    "applies": "apply",
    "modified": "modify",
    "modifies": "modify",
    "wrote": "write",
    "written": "write",
    "read": "read",
}


def _forms(verb: str) -> tuple[str, ...]:
    stem = verb.removesuffix("e")
    third = f"{verb}es" if verb.endswith(("ch", "sh", "x")) else f"{verb}s"
    return verb, third, f"{stem}ed", f"{stem}ing"


_BASES = dict.fromkeys((*_RESOURCE_VERBS, *_HTTP_VERBS, *_OTHER_WORDS))
_BASE_OF_FORM = {form: base for base in _BASES for form in _forms(base)} | _IRREGULAR
_NAMELESS_VERBS = ("list", "watch", "deletecollection", "create")
_API_SERVER = "system:apiserver"
_USER = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<groups>[^\[\]]*)\])?")


class PhraseError(AuditlogError):
    """A phrase that is not a request; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class _Target:
    group: str
    version: str
    resource: str
    subresource: str
    namespaced: bool | None
    """None for a resource that is not built in: it is namespaced when the phrase gives a namespace."""


def parse_phrase(phrase: str, kubernetes_minor: int = NEWEST_MINOR) -> Request:
    """The request a phrase describes, with the built-in resources of Kubernetes 1.`kubernetes_minor`.

    A resource is written as its plural, singular, kind or short name, with its group behind a dot where needed
    (`events.events.k8s.io`). A custom resource is its plural with its group. Raises PhraseError.
    """
    words = phrase.split()
    if len(words) not in (3, 4):
        raise PhraseError(f'"{phrase}" is not a request. Allowed:\n{FORMS}')
    user, groups = _user(words[0])
    if words[2].startswith("/"):
        if len(words) == 4:
            raise PhraseError(f'"{words[3]}" is too much: a request for a path ends with the path. Allowed:\n{FORMS}')
        return Request(user, groups, _verb(words[1], _HTTP_VERBS), resource_request=False, path=_path(words[2]))
    verb = _verb(words[1], _RESOURCE_VERBS)
    target = _target(words[2], kubernetes_minor)
    namespace, name = _namespace_and_name(verb, target, words[3] if len(words) == 4 else "")
    if verb == "create" and not target.subresource:
        # The name is in the body only, where the API server does not look for it.
        name = ""
    if (target.group, target.resource) == ("", "namespaces") and verb not in _NAMELESS_VERBS:
        namespace = name
    return Request(
        user=user,
        groups=groups,
        verb=verb,
        api_group=target.group,
        api_version=target.version,
        resource=target.resource,
        subresource=target.subresource,
        namespace=namespace,
        name=name,
    )


def verb_meaning(word: str) -> VerbMeaning:
    """What a word for a deed stands for, in any form and case: `deleted`, `DELETE`, `removing`, `exec`.

    Raises PhraseError, with the closest word that is known.
    """
    plain = re.sub(r"[-_ ]", "", word.lower())
    base = _BASE_OF_FORM.get(plain)
    if base is None:
        close = difflib.get_close_matches(plain, _BASE_OF_FORM, n=1)
        hint = f', did you mean "{close[0]}"' if close else ""
        allowed = ", ".join(dict.fromkeys((*_RESOURCE_VERBS, *_HTTP_VERBS, *_OTHER_WORDS)))
        raise PhraseError(f'"{word}" is not a verb{hint}; allowed: {allowed}')
    return _OTHER_WORDS.get(base) or VerbMeaning((base,))


def groups_of(user: str) -> tuple[str, ...]:
    """The groups the API server gives a user of this name by itself.

    Its own are in ``AuthorizeClientBearerToken`` of k8s.io/apiserver/pkg/server/config.go.
    """
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    kind, _, rest = user.removeprefix("system:").partition(":")
    if user.startswith("system:") and kind == "serviceaccount" and ":" in rest:
        namespace = rest.partition(":")[0]
        return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    if user.startswith("system:") and kind == "node" and rest:
        return ("system:nodes", "system:authenticated")
    if user == _API_SERVER:
        return ("system:masters", "system:authenticated")
    return ("system:authenticated",)


def _user(word: str) -> tuple[str | None, tuple[str, ...]]:
    match = _USER.fullmatch(word)
    if match is None:
        raise PhraseError(f'"{word}" is not a user; allowed: NAME or NAME[GROUP,GROUP]')
    if match["name"] == "-":
        if match["groups"]:
            raise PhraseError(f'"{word}": without a user there are no groups either; allowed: - alone')
        return None, ()
    given = tuple(group for group in (match["groups"] or "").split(",") if group)
    own = groups_of(match["name"])
    return match["name"], given + tuple(group for group in own if group not in given)


def _verb(word: str, allowed: tuple[str, ...]) -> str:
    try:
        meaning = verb_meaning(word)
    except PhraseError:
        meaning = VerbMeaning(())
    if len(meaning.verbs) != 1 or meaning.subresource or meaning.verbs[0] not in allowed:
        raise PhraseError(f'"{word}" is not a verb here; allowed: {", ".join(allowed)}')
    return meaning.verbs[0]


def _path(word: str) -> str:
    path = word.partition("?")[0]
    if is_resource_path(path):
        raise PhraseError(f'"{path}" is a resource and not a URL to a policy; allowed: RESOURCE [NAMESPACE/][NAME]')
    return path


def _target(word: str, minor: int) -> _Target:
    whole, _, subresource = word.partition("/")
    name, _, group = whole.partition(".")
    found = find_resource(name, minor, group) if group else find_resource(name, minor)
    if found is None:
        if "." in group:
            return _Target(group, "", name, subresource, None)
        close = closest_resource(name, minor)
        hint = f', did you mean "{close}"' if close and not group else ""
        raise PhraseError(
            f'"{word}" is not a resource of Kubernetes 1.{minor}{hint}; '
            "allowed: a built-in resource, or PLURAL.GROUP for one of a custom resource definition"
        )
    if subresource and subresource not in found.subresources:
        allowed = ", ".join(found.subresources) or "none"
        raise PhraseError(
            f'"{subresource}" is not a subresource of {found.resource} in Kubernetes 1.{minor}; allowed: {allowed}'
        )
    return _Target(found.group, found.versions[0], found.resource, subresource, found.namespaced)


def _namespace_and_name(verb: str, target: _Target, word: str) -> tuple[str, str]:
    namespace, slash, name = word.rpartition("/")
    if "/" in namespace or (slash and not namespace):
        raise PhraseError(f'"{word}" is not an object; allowed: NAME, NAMESPACE/NAME or NAMESPACE/')
    what = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    if target.namespaced is False and namespace:
        raise PhraseError(f'"{word}": {what} has no namespace; allowed: {name or "NAME"} alone')
    if target.namespaced and not namespace and (name or verb in ("create", "deletecollection")):
        raise PhraseError(f"{verb} {what}: the namespace is missing; allowed: NAMESPACE/{name or 'NAME'}")
    if not name and (verb not in _NAMELESS_VERBS or target.subresource):
        instead = {"get": " (of several: list)", "delete": " (of several: deletecollection)"}.get(verb, "")
        raise PhraseError(f"{verb} {what}: the name is missing{instead}; allowed: [NAMESPACE/]NAME")
    if name and verb == "deletecollection":
        raise PhraseError(f'deletecollection {what}: "{name}" is too much; allowed: NAMESPACE/, or delete')
    return namespace, name
