"""Requests that a node makes to see that its API server records: which of them a policy records.

The node makes them as its administrator (admin.conf, which kubeadm writes), and none changes anything. A create is a
dry run, and a read asks for what does not exist. The answer does not matter: a request that admission refuses is
recorded as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, Policy, Request, Stage

_ADMINISTRATOR = "kubernetes-admin"
_GROUPS = ("kubeadm:cluster-admins", "system:authenticated")
_KINDS = {"configmaps": "configmap", "secrets": "secret", "serviceaccounts": "serviceaccount", "pods": "pod"}


@dataclass(frozen=True, slots=True)
class Marker:
    """One request: ``verb`` is create or get, ``resource`` as in a URL. ``level`` is the level of its event."""

    verb: str
    resource: str
    namespace: str
    level: Level

    @property
    def kind(self) -> str:
        """The resource as ``kubectl create`` calls it."""
        return _KINDS[self.resource]

    def path(self, name: str) -> str:
        """The path of the request's URL."""
        return _path(self.verb, self.resource, self.namespace, name)


def transaction_marker(policy: Policy) -> Marker | None:
    """The one request that a change of a node makes (node/marker.sh), None where the policy drops it."""
    return _recorded(policy, "create", "configmaps", "kube-system")


def marker_of(policy: Policy, name: str) -> Marker | None:
    """A request that the policy records, with an object called ``name``; None where it drops every one that there is.

    The namespaces are those of the system and those that the policy itself names.
    """
    for verb, resource, namespace in _candidates(policy):
        marker = _recorded(policy, verb, resource, namespace, name)
        if marker is not None:
            return marker
    return None


def _candidates(policy: Policy) -> Iterator[tuple[str, str, str]]:
    named = [namespace for rule in policy.rules for namespace in rule.namespaces if namespace and "*" not in namespace]
    for namespace in dict.fromkeys(("kube-system", "default", *named)):
        for verb, resource in (
            ("create", "configmaps"),
            ("create", "secrets"),
            ("create", "serviceaccounts"),
            ("get", "secrets"),
            ("get", "configmaps"),
            ("get", "pods"),
        ):
            yield verb, resource, namespace


def _recorded(policy: Policy, verb: str, resource: str, namespace: str, name: str = "") -> Marker | None:
    decision = evaluate(
        policy,
        Request(
            user=_ADMINISTRATOR,
            groups=_GROUPS,
            verb=verb,
            api_version="v1",
            resource=resource,
            namespace=namespace,
            name="" if verb == "create" else name,
            path=_path(verb, resource, namespace, name),
        ),
    )
    if decision.level == Level.NONE or Stage.RESPONSE_COMPLETE in decision.omit_stages:
        return None
    return Marker(verb, resource, namespace, decision.level)


def _path(verb: str, resource: str, namespace: str, name: str) -> str:
    collection = f"/api/v1/namespaces/{namespace}/{resource}"
    return collection if verb == "create" else f"{collection}/{name}"
