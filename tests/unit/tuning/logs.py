"""Logs that `tune` reads in tests: noisy programs, people who are not, and an attack that hides among them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.unit.events.generate import (
    ALICE,
    ANONYMOUS,
    BOB,
    CONTROLLER_MANAGER,
    METRICS,
    NODES,
    OPERATOR,
    START,
    Caller,
    encode,
    event,
)

RELEASE_BOT = Caller("release-bot", ("system:authenticated",), "release/v2", "10.9.0.9")
"""A program whose name looks like a person's."""

TARGETS = (
    ("pods", ""),
    ("services", ""),
    ("configmaps", ""),
    ("nodes", ""),
    ("endpointslices", "discovery.k8s.io"),
    ("deployments", "apps"),
    ("leases", "coordination.k8s.io"),
    ("widgets", "example.org"),
)


def request(
    caller: Caller,
    verb: str,
    resource: str,
    group: str = "",
    subresource: str = "",
    *,
    at: float,
    namespace: str = "shop",
    name: str = "thing",
    **more: Any,
) -> dict[str, Any]:
    """One event, `at` seconds after the log's begin."""
    root = f"/apis/{group}/v1" if group else "/api/v1"
    reference = {"resource": resource, "namespace": namespace, "name": name, "apiVersion": "v1"}
    reference |= {"apiGroup": group} if group else {}
    reference |= {"subresource": subresource} if subresource else {}
    uri = f"{root}/namespaces/{namespace}/{resource}/{name}{f'/{subresource}' if subresource else ''}"
    return event(caller, verb, uri, START + timedelta(seconds=at), reference=reference, **more)


def by_hand(caller: Caller) -> Caller:
    """The credential of a workload in a person's shell."""
    return Caller(caller.username, caller.groups, "kubectl/v1.33.2 (linux/amd64)", "10.9.0.66", caller.extra)


def attack(chance: random.Random, caller: Caller, at: float) -> list[dict[str, Any]]:
    """What somebody does who has taken over a noisy program's identity: in one of its forms."""
    forms: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: request(caller, "list", "secrets", at=at),
        lambda: request(caller, "create", "pods", "", "exec", at=at, stage="ResponseStarted", code=101),
        lambda: request(by_hand(caller), chance.choice(("get", "list")), "pods", at=at),
        lambda: request(caller, "create", "clusterrolebindings", "rbac.authorization.k8s.io", at=at, code=201),
        lambda: request(caller, "list", chance.choice(TARGETS)[0], at=at, code=403),
        lambda: request(caller, "get", "pods", at=at, impersonated="alice@example.org"),
        lambda: request(caller, "create", "selfsubjectrulesreviews", "authorization.k8s.io", at=at, code=201),
        lambda: request(caller, "create", "serviceaccounts", "", "token", at=at, code=201),
    )
    return [form() for form in chance.sample(forms, chance.randint(1, 3))]


def events(seed: int, count: int = 200) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A log of three hours, and those of its events that are the attack."""
    chance = random.Random(seed)  # noqa: S311 - made-up data, not a secret
    noisy = chance.sample((METRICS, OPERATOR, CONTROLLER_MANAGER, *NODES, RELEASE_BOT), 3)
    wants = {caller: chance.sample(TARGETS, 2) for caller in noisy}
    found: list[dict[str, Any]] = []
    for number in range(count):
        at = number * 10_800 / count
        draw = chance.random()
        if draw < 0.85:
            caller = chance.choice(noisy)
            resource, group = chance.choice(wants[caller])
            verb = chance.choice(("get", "list", "watch", "update"))
            found.append(request(caller, verb, resource, group, at=at, level="Metadata"))
        elif draw < 0.95:
            resource, group = chance.choice(TARGETS)
            found.append(request(chance.choice((ALICE, BOB)), chance.choice(("get", "delete")), resource, group, at=at))
        else:
            found.append(request(ANONYMOUS, "list", "pods", at=at, code=403))
    hidden = attack(
        chance, chance.choice([each for each in noisy if each is not RELEASE_BOT]), chance.uniform(1, 10_000)
    )
    return sorted([*found, *hidden], key=lambda each: str(each["stageTimestamp"])), hidden


def written(folder: Path, content: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> str:
    """The path of a log with these events."""
    path = folder / "audit.log"
    path.write_bytes(b"".join(map(encode, content)))
    return str(path)
