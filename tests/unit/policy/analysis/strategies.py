"""Small worlds of policies, and every request there is in them.

A world has few names, so that rules meet; one more name of each kind stands for everything no rule names.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

from hypothesis import strategies as st

from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import HTTP_VERBS, RARE_RESOURCE_VERBS, RESOURCE_VERBS
from auditlog.policy.resources import is_resource_path

USERS = ("alice", "bob")
GROUPS = ("dev", "ops", "qa")
VERBS = ("get", "create", "post", "GET", "*")
NAMESPACES = ("prod", "")
NAMES = ("web",)
API_GROUPS = ("", "apps", "*")
PATTERNS = ("pods", "pods/log", "pods/*", "*", "*/log", "*/*", "events", "pods/", "/log")
URLS = ("/healthz", "/healthz*", "/healthz/*", "/api/v1/*", "/api/v1/pods", "*", "/*")

_REQUEST_VERBS = ("get", "create", "")
_METHODS = ("get", "post", "other")
_PATHS = ("/", "/healthz", "/healthz/", "/healthz/etcd", "/healthz2", "/api/v1/", "/metrics")


def _some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


_ENTRIES = st.builds(
    GroupResources,
    group=st.sampled_from(API_GROUPS),
    resources=_some(PATTERNS),
    resource_names=st.one_of(st.just(()), _some(NAMES)),
)
_STAGES = st.lists(st.sampled_from(list(Stage)), max_size=4, unique=True).map(tuple)
_ANYTHING: st.SearchStrategy[tuple[str, ...]] = st.just(())

RULES = st.builds(
    PolicyRule,
    level=st.sampled_from(list(Level)),
    users=st.one_of(_ANYTHING, _some(USERS)),
    user_groups=st.one_of(_ANYTHING, _some(GROUPS)),
    verbs=st.one_of(_ANYTHING, _some(VERBS)),
    resources=st.one_of(st.just(()), st.lists(_ENTRIES, max_size=2).map(tuple)),
    namespaces=st.one_of(_ANYTHING, _some(NAMESPACES)),
    non_resource_urls=st.one_of(_ANYTHING, _some(URLS)),
    omit_stages=st.one_of(st.just(()), _STAGES),
    omit_managed_fields=st.sampled_from((None, True, False)),
)
POLICIES = st.builds(
    Policy,
    rules=st.lists(RULES, min_size=1, max_size=5).map(tuple),
    omit_stages=st.one_of(st.just(()), _STAGES),
    omit_managed_fields=st.booleans(),
)


def every_request() -> Iterator[Request]:
    """Every request of the world: all users with all sets of groups, and all that can be asked for."""
    groups = list(chain.from_iterable(combinations(GROUPS, count) for count in range(len(GROUPS) + 1)))
    identities = [(None, ()), *product((*USERS, "carol"), groups)]
    for user, member_of in identities:
        for verb, group, resource, subresource in product(
            _REQUEST_VERBS, ("", "apps", "batch"), ("pods", "events", "jobs"), ("", "log", "exec")
        ):
            for namespace, name in product(("prod", "", "test"), ("web", "")):
                yield Request(
                    user,
                    member_of,
                    verb,
                    api_group=group,
                    resource=resource,
                    subresource=subresource,
                    namespace=namespace,
                    name=name,
                )
        for method, path in product(_METHODS, _PATHS):
            yield Request(user, member_of, method, resource_request=False, path=path)


ALL_REQUESTS = tuple(every_request())
"""About 12 000 requests."""

assert set(_REQUEST_VERBS) <= {*RESOURCE_VERBS, *RARE_RESOURCE_VERBS}
assert set(_METHODS) - {"other"} <= set(HTTP_VERBS)
assert not any(is_resource_path(path) for path in _PATHS)
