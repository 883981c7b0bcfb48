"""Has a node's API server compile the expressions of annotations, by a server-side dry run that stores nothing.

This is the first step of an update, so an expression that does not compile is reported before anything is touched. It
takes the right to write admission policies. The login of an update has that right on a node; the login of a preview
must not have it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from auditlog.annotations.compiled import SUFFIX, mistakes_in
from auditlog.annotations.model import Entry
from auditlog.annotations.read import AnnotationError
from auditlog.annotations.render import policy_spec
from auditlog.node_paths import ADMIN_KUBECONFIG
from auditlog.nodes.node_scripts import as_root
from auditlog.nodes.ssh import (
    LOGIN_ERRORS,
    READ_SECONDS,
    Account,
    Login,
    SshError,
    access_of,
    bastion_of,
    completed,
    target_of,
)
from auditlog.settings import Host

_DRY_RUN = f"kubectl --kubeconfig {ADMIN_KUBECONFIG} --request-timeout=30s create --dry-run=server -o name -f -"


def check_expressions(entries: Sequence[Entry], node: Host, bastion: Host | None, account: Account) -> str:
    """Why the API server of ``node`` could not be asked; empty if it was, and compiles all expressions.

    Raises AnnotationError with one line for each that does not compile.
    """
    policies = [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": f"{entry.policy_name}{SUFFIX}"},
            "spec": policy_spec(entry),
        }
        for entry in entries
    ]
    try:
        status, said = completed(
            _create(json.dumps({"apiVersion": "v1", "kind": "List", "items": policies}), node, bastion, account)
        )
    except SshError as error:
        return str(error)
    if status == 0:
        return ""
    mistakes = mistakes_in(said, entries)
    if mistakes:
        raise AnnotationError("\n".join(mistakes))
    return said.strip().splitlines()[-1] if said.strip() else f"kubectl ended with status {status}"


async def _create(manifests: str, node: Host, bastion: Host | None, account: Account) -> tuple[int, str]:
    """The exit status of kubectl, and what it printed of errors. Raises SshError."""
    async with access_of(account) as access:
        login = Login(target_of(node), access)
        async with bastion_of(target_of(bastion) if bastion else None, access) as (tunnel, _):
            try:
                async with login.connect(tunnel) as connection:
                    user = login.reached(connection).user
                    result = await connection.run(f"{as_root(user)}{_DRY_RUN}", input=manifests, timeout=READ_SECONDS)
            except LOGIN_ERRORS as error:
                raise SshError(f"{node.name} ({login.address}): {login.reason(error)}") from error
    return result.exit_status or 0, str(result.stderr or "")
