"""Random policies and requests, aimed at what the API server's own tests leave out.

Few names are used, so that rules and requests meet often. Among them are the ones that look like wildcards
and are not (`*` as a user, verb or namespace), subresource patterns of every shape, resourceNames for
requests without a name, namespaces "", several trailing `*`, verbs in the wrong case, empty lists, and
Namespace objects. About a third of the documents also carry faults: unknown, misspelt, repeated and empty
keys, wrong types, wrong enumerations, scalars that YAML 1.1 reads as something else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditlog.policy.model import Level, Request, Stage

REQUESTS_PER_POLICY = 24

_USERS = ("alice", "bob", "system:anonymous", "system:serviceaccount:prod:app", "*", "")
_GROUPS = ("system:authenticated", "system:unauthenticated", "system:masters", "dev", "*", "")
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_ODD_VERBS = ("*", "GET", "Create", "head", "post", "options", "")
_API_GROUPS = ("", "apps", "batch", "events.k8s.io", "rbac.authorization.k8s.io")
_ODD_API_GROUPS = ("*", "apps/v1", "Apps", "a..b", "-a", "a-", "a_b", "*.k8s.io", "a" * 253, "a" * 254, "a\n", " ")
_RESOURCES = ("pods", "secrets", "events", "namespaces", "nodes", "deployments")
_SUBRESOURCES = ("log", "exec", "status", "scale", "*")
_RESOURCE_PATTERNS = (
    *_RESOURCES,
    *("*", "*/*", "*/log", "*/status", "pods/*", "pods/log", "pods/exec", "namespaces/*", "nodes/status"),
    *("", "/", "*/", "/*", "/log", "pods/", "pods/log/", "pods/log/*", "pod*", "*s", "**", "Pods"),
)
_NAMESPACES = ("", "default", "prod", "kube-system", "*", "prod*")
_NAMES = ("", "web", "prod", "app-config", "*")
_URLS = ("*", "/", "/*", "/healthz", "/healthz*", "/healthz/*", "/api*", "/api/*", "/apis/apps/v1", "/version/")
_ODD_URLS = ("", "healthz", "**", "/healthz**", "/api/***", "/a*b", "/*/", "*/healthz", "/healthz?x*")
_PATHS = ("/", "/healthz", "/healthz/etcd", "/healthzz", "/api", "/api/v1", "/apis/apps/v1", "/version", "", "*")
_ODD_SCALARS = (
    *("yes", "No", "on", "y", "n", "true", "~", "null", "NULL", "1", "-1", "+1", "017", "019", "0x1F", "0b1"),
    *("-0b1", "0o17", "1_000", "1.", ".5", "1e3", "1e999", ".inf", ".NaN", "1:20", "2020-01-01", "<", "-", ".", "="),
    *("!!str 5", "''", '""', "[]", "{}", "[pods]", "{a: b}", "0.0.0", "08", "1_", "_1", "0x", "0b", "0o"),
)
_MISSPELT = {
    "users": ("user", "Users"),
    "userGroups": ("usergroups", "groups", "userGroup"),
    "verbs": ("verb", "Verbs"),
    "resources": ("resource",),
    "namespaces": ("namespace",),
    "nonResourceURLs": ("nonResourceUrls", "nonResourceURL"),
    "omitStages": ("omitStage", "omitstages"),
    "omitManagedFields": ("omitManagedField",),
    "level": ("Level", "levels"),
    "group": ("Group", "apiGroup"),
    "resourceNames": ("resourcenames", "names"),
    "rules": ("Rules", "rule"),
    "kind": ("Kind",),
    "apiVersion": ("apiversion",),
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as it stands in the text, quotes included."""

    text: str


@dataclass(frozen=True, slots=True)
class List:
    """A YAML sequence."""

    items: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Map:
    """A YAML mapping as pairs, because a key may be repeated."""

    pairs: tuple[tuple[str, Tree], ...] = ()


Tree = Scalar | List | Map


@dataclass(frozen=True, slots=True)
class Case:
    """A policy document and requests to decide with it. `suffix` is text after the document."""

    document: Tree
    requests: tuple[Request, ...]
    suffix: str = ""

    @property
    def text(self) -> str:
        """The policy text."""
        return f"{render(self.document)}{self.suffix}"


def generate_case(seed: int, number: int) -> Case:
    """Case `number` of a run; the same for the same arguments, whatever other cases are made."""
    return _Generator(random.Random(f"{seed}:{number}")).case()  # noqa: S311 - reproducible on purpose


def render(tree: Tree, indent: int = 0) -> str:
    """YAML text: block style, but flow style for lists of scalars and for what is empty."""
    margin = "  " * indent
    if isinstance(tree, Map) and tree.pairs:
        return "".join(f"{margin}{key}:{_value(value, indent)}" for key, value in tree.pairs)
    if isinstance(tree, List) and any(not isinstance(item, Scalar) for item in tree.items):
        return "".join(f"{margin}-{_value(item, indent)}" for item in tree.items)
    return f"{margin}{_flow(tree)}\n"


def _value(tree: Tree, indent: int) -> str:
    text = render(tree, indent + 1)
    return f" {text.lstrip()}" if text.count("\n") == 1 and not _is_block(tree) else f"\n{text}"


def _is_block(tree: Tree) -> bool:
    return (isinstance(tree, Map) and bool(tree.pairs)) or (
        isinstance(tree, List) and any(not isinstance(item, Scalar) for item in tree.items)
    )


def _flow(tree: Tree) -> str:
    if isinstance(tree, Scalar):
        return tree.text
    if isinstance(tree, List):
        return f"[{', '.join(_flow(item) for item in tree.items)}]"
    return "{}"


def quoted(value: str) -> Scalar:
    """A string as a double-quoted scalar."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return Scalar(f'"{escaped}"')


class _Generator:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def case(self) -> Case:
        rules = [self._rule() for _ in range(self.chance.choice((1, 1, 2, 3, 4, 6)))]
        pairs: list[tuple[str, Tree]] = [("apiVersion", Scalar("audit.k8s.io/v1")), ("kind", Scalar("Policy"))]
        if self._often(0.3):
            pairs.append(("omitStages", self._stages()))
        if self._often(0.3):
            pairs.append(("omitManagedFields", Scalar(self.chance.choice(("true", "false", "yes", "off")))))
        if self._often(0.05):
            metadata = Map((("name", quoted("policy")), ("creationTimestamp", Scalar("null"))))
            pairs.append(("metadata", metadata))
        pairs.append(("rules", List(tuple(rules))))
        document: Tree = Map(tuple(pairs))
        suffix = ""
        if self._often(0.35):
            for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
                document = self._damaged(document)
            suffix = self.chance.choice(("", "", "", "", "---\n", "---\nrules: []\n", "...\n"))
        requests = tuple(self._request(rules) for _ in range(REQUESTS_PER_POLICY))
        return Case(document, requests, suffix)

    def _often(self, probability: float) -> bool:
        return self.chance.random() < probability

    def _one(self, usual: Sequence[str], odd: Sequence[str] = (), odd_share: float = 0.1) -> str:
        return self.chance.choice(odd if odd and self._often(odd_share) else usual)

    def _list(self, usual: Sequence[str], odd: Sequence[str] = (), odd_share: float = 0.1) -> List:
        length = self.chance.choice((0, 1, 1, 1, 2, 2, 3))
        return List(tuple(quoted(self._one(usual, odd, odd_share)) for _ in range(length)))

    def _stages(self) -> List:
        return self._list([stage.value for stage in Stage], ("requestReceived", "All", "*", ""), 0.01)

    def _rule(self) -> Map:
        level = self._one([level.value for level in Level], ("metadata", "All", ""), 0.005)
        pairs: list[tuple[str, Tree]] = [("level", Scalar(level or '""'))]
        if self._often(0.3):
            pairs.append(("users", self._list(_USERS)))
        if self._often(0.3):
            pairs.append(("userGroups", self._list(_GROUPS)))
        if self._often(0.4):
            pairs.append(("verbs", self._list(_VERBS, _ODD_VERBS, 0.2)))
        about_urls = self._often(0.25)
        if not about_urls or self._often(0.02):
            if self._often(0.65):
                groups = tuple(self._group() for _ in range(self.chance.choice((0, 1, 1, 1, 2, 3))))
                pairs.append(("resources", List(groups)))
            if self._often(0.3):
                pairs.append(("namespaces", self._list(_NAMESPACES)))
        if about_urls:
            pairs.append(("nonResourceURLs", self._list(_URLS, _ODD_URLS, 0.02)))
        if self._often(0.25):
            pairs.append(("omitStages", self._stages()))
        if self._often(0.25):
            pairs.append(("omitManagedFields", Scalar(self.chance.choice(("true", "false", "On", "n")))))
        self.chance.shuffle(pairs)
        return Map(tuple(pairs))

    def _group(self) -> Map:
        pairs: list[tuple[str, Tree]] = []
        if self._often(0.9):
            pairs.append(("group", quoted(self._one(_API_GROUPS, _ODD_API_GROUPS, 0.04))))
        with_resources = self._often(0.85)
        if with_resources:
            pairs.append(("resources", self._list(_RESOURCE_PATTERNS)))
        if self._often(0.3 if with_resources else 0.03):
            pairs.append(("resourceNames", self._list(_NAMES)))
        return Map(tuple(pairs))

    def _request(self, rules: Sequence[Map]) -> Request:
        """A request at random, or one that a random rule asks for with at most one thing changed."""
        request = self._any_request()
        if self._often(0.3):
            return request
        request = self._meeting(request, self.chance.choice(rules))
        if not self._often(0.5):
            return request
        other = self._any_request()
        changed = self.chance.choice(
            ("user", "groups", "verb", "api_group", "resource", "subresource", "namespace", "name", "path")
        )
        return replace(request, **{changed: getattr(other, changed)})

    def _any_request(self) -> Request:
        user = None if self._often(0.1) else self._one(_USERS)
        groups = tuple(self.chance.sample(_GROUPS, self.chance.choice((0, 1, 2)))) if user is not None else ()
        if self._often(0.25):
            verb = self._one(("get", "post", "head"), _ODD_VERBS)
            return Request(user, groups, verb, resource_request=False, path=self._one(_PATHS))
        resource = self._one(_RESOURCES)
        name = self._one(_NAMES)
        return Request(
            user=user,
            groups=groups,
            verb=self._one(_VERBS, _ODD_VERBS, 0.05),
            resource_request=True,
            api_group=self._one(_API_GROUPS),
            api_version="v1",
            resource=resource,
            subresource=self._one(("", "", *_SUBRESOURCES)),
            # The API server puts the name of a Namespace object into the namespace of the request as well.
            namespace=name if resource == "namespaces" else self._one(_NAMESPACES),
            name=name,
        )

    def _meeting(self, request: Request, rule: Map) -> Request:
        fields = dict(rule.pairs)
        users, groups, verbs = (self._pick(fields.get(key)) for key in ("users", "userGroups", "verbs"))
        if users is not None:
            request = replace(request, user=users)
        if groups is not None:
            request = replace(request, user=request.user or "alice", groups=(*request.groups, groups))
        if verbs is not None:
            request = replace(request, verb=verbs)
        url = self._pick(fields.get("nonResourceURLs"))
        if url is not None:
            path = url.rstrip("*") + self.chance.choice(("", "", "x", "/x", "*")) if "*" in url else url
            return replace(request, resource_request=False, path=path)
        namespace = self._pick(fields.get("namespaces"))
        if namespace is not None:
            request = replace(request, resource_request=True, namespace=namespace)
        entries = fields.get("resources")
        if not isinstance(entries, List) or not entries.items:
            return request
        entry = self.chance.choice(entries.items)
        assert isinstance(entry, Map)
        group = dict(entry.pairs)
        pattern, name = self._pick(group.get("resources")), self._pick(group.get("resourceNames"))
        request = replace(request, resource_request=True, api_group=self._text(group.get("group")) or "")
        if request.api_group == "*":
            request = replace(request, api_group=self._one(_API_GROUPS))
        if pattern is not None:
            resource, _, subresource = pattern.partition("/")
            if self._often(0.7):
                resource = self._one(_RESOURCES) if resource == "*" else resource
                subresource = self._one(("", *_SUBRESOURCES)) if subresource == "*" else subresource
            request = replace(request, resource=resource, subresource=subresource)
        if name is not None:
            request = replace(request, name=name)
        return request

    def _pick(self, values: Tree | None) -> str | None:
        if not isinstance(values, List) or not values.items:
            return None
        return self._text(self.chance.choice(values.items))

    @staticmethod
    def _text(value: Tree | None) -> str | None:
        if not isinstance(value, Scalar):
            return None
        return value.text[1:-1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")

    def _damaged(self, tree: Tree) -> Tree:
        """The tree with one fault at a random place."""
        if isinstance(tree, Map) and tree.pairs:
            index = self.chance.randrange(len(tree.pairs))
            if self._often(0.65) and not isinstance(tree.pairs[index][1], Scalar):
                key, value = tree.pairs[index]
                return Map((*tree.pairs[:index], (key, self._damaged(value)), *tree.pairs[index + 1 :]))
            return self._damaged_pair(tree, index)
        if isinstance(tree, List) and tree.items:
            index = self.chance.randrange(len(tree.items))
            if isinstance(tree.items[index], Scalar) or self._often(0.1):
                new: Tree = self._odd_value()
            else:
                new = self._damaged(tree.items[index])
            return List((*tree.items[:index], new, *tree.items[index + 1 :]))
        return self._odd_value()

    def _damaged_pair(self, tree: Map, index: int) -> Map:
        key, value = tree.pairs[index]
        before, after = tree.pairs[:index], tree.pairs[index + 1 :]
        fault = self.chance.choice(("remove", "misspell", "repeat", "value", "value", "value", "add"))
        if fault == "remove":
            return Map(before + after)
        if fault == "misspell":
            misspelt = self.chance.choice(_MISSPELT.get(key, (f"{key}s",)))
            return Map((*before, (misspelt, value), *after))
        if fault == "repeat":
            other = self._odd_value() if self._often(0.5) else value
            return Map((*tree.pairs, (key, other)))
        if fault == "add":
            return Map((*tree.pairs, (self.chance.choice(("comment", "1", "yes", "spec", "name")), value)))
        return Map((*before, (key, self._odd_value()), *after))

    def _odd_value(self) -> Tree:
        return self.chance.choice(
            (
                Scalar(self.chance.choice(_ODD_SCALARS)),
                Scalar(self.chance.choice(_ODD_SCALARS)),
                quoted(self._one(("audit.k8s.io/v1beta1", "Policy", "Metadata", "pods", "true"))),
                List(),
                Map(),
                List((Scalar(self.chance.choice(_ODD_SCALARS)), quoted("get"))),
            )
        )
