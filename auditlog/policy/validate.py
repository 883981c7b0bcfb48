"""Whether the API server of one Kubernetes version accepts a policy.

The same verdict as `ValidatePolicy` (`k8s.io/apiserver/pkg/apis/audit/validation/validation.go`) and the
check for zero rules in `LoadPolicyFromBytes` (`k8s.io/apiserver/pkg/audit/policy/reader.go`). Levels and
stages need no check here: `Level` and `Stage` hold no other values, and `auditlog.policy.read` reports the
ones a text gets wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from auditlog.policy.model import SUPPORTED_MINORS, GroupResources, Policy, PolicyError, PolicyRule, Problem
from auditlog.policy.read import parse_policy

GROUP_WILDCARD_MINOR = 36
"""The first minor version whose policies may say `group: "*"` (kubernetes/kubernetes#135262)."""

_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_SUBDOMAIN_MAX_LENGTH = 253


def load_policy(text: str, source: str, kubernetes_minor: int) -> Policy:
    """The policy as the API server of Kubernetes 1.`kubernetes_minor` reads it.

    `Policy.ignored` is what that server ignores. Raises PolicyError if it does not start, or if nobody can know what it
    reads. The error then has every problem, in the order of the text.
    """
    return policy_as_read(text, source, lambda policy: validate(policy, kubernetes_minor))


def policy_as_read(text: str, source: str, validator: Callable[[Policy], list[Problem]] = lambda _: []) -> Policy:
    """`load_policy` for no version in particular: what `validator` finds is refused too."""
    parsed = parse_policy(text, source)
    refused = validator(parsed.policy) if parsed.policy is not None else []
    if parsed.policy is None or parsed.fatal or refused:
        problems = sorted((*parsed.problems, *refused), key=lambda each: (each.line, each.column))
        raise PolicyError(source, tuple(problems))
    return parsed.policy


def validate(policy: Policy, kubernetes_minor: int) -> list[Problem]:
    """Everything the API server of Kubernetes 1.`kubernetes_minor` refuses in the policy; empty when it
    starts.

    Raises ValueError for a minor version other than 30 to 37.
    """
    if kubernetes_minor not in SUPPORTED_MINORS:
        raise ValueError(
            f"Kubernetes 1.{kubernetes_minor} is not supported; "
            f"allowed are 1.{SUPPORTED_MINORS[0]} to 1.{SUPPORTED_MINORS[-1]}"
        )
    found: list[tuple[str, str]] = []
    if not policy.rules:
        found.append(("rules", "a policy needs at least one rule"))
    for index, rule in enumerate(policy.rules):
        found += _rule_problems(rule, f"rules[{index}]", kubernetes_minor)
    problems = []
    for path, message in found:
        position = policy.locate(path)
        problems.append(Problem(position.line, position.column, path, message))
    return problems


def _rule_problems(rule: PolicyRule, path: str, kubernetes_minor: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for index, url in enumerate(rule.non_resource_urls):
        if url == "*":
            continue
        here = f"{path}.nonResourceURLs[{index}]"
        if not url.startswith("/"):
            found.append((here, f'"{url}" is not a path: it must begin with "/", or be exactly "*"'))
        if "*" in url[:-1]:
            found.append((here, f'"{url}" has a "*" that is not its last character'))
    for index, entry in enumerate(rule.resources):
        found += _group_problems(entry, f"{path}.resources[{index}]", kubernetes_minor)
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        found.append(
            (
                f"{path}.nonResourceURLs",
                "a rule has either nonResourceURLs or resources and namespaces; make it two rules",
            )
        )
    return found


def _group_problems(entry: GroupResources, path: str, kubernetes_minor: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if entry.group == "*":
        if kubernetes_minor < GROUP_WILDCARD_MINOR:
            found.append(
                (
                    f"{path}.group",
                    f'"*" for every group needs Kubernetes 1.{GROUP_WILDCARD_MINOR}; '
                    f"the API server of 1.{kubernetes_minor} does not start with it",
                )
            )
    elif entry.group and not _is_dns_subdomain(entry.group):
        hint = ""
        if "/" in entry.group:
            hint = f' (write "{entry.group.partition("/")[0]}": a group is named without its version)'
        found.append(
            (
                f"{path}.group",
                f"{json.dumps(entry.group)} is not an API group: lower-case letters, digits, - and ., "
                f"at most {_DNS_SUBDOMAIN_MAX_LENGTH} characters{hint}",
            )
        )
    if entry.resource_names and not entry.resources:
        found.append((f"{path}.resourceNames", "resourceNames need at least one entry in resources beside them"))
    return found


def _is_dns_subdomain(name: str) -> bool:
    return len(name) <= _DNS_SUBDOMAIN_MAX_LENGTH and _DNS_SUBDOMAIN.fullmatch(name) is not None
