"""Documents of the form that ``pulumi preview --json`` prints (PreviewDigest in pkg/display of pulumi/pulumi)."""

from __future__ import annotations

import json
from collections.abc import Sequence

DIGEST = "0f" * 32
DIFF = "--- /etc/a.yaml\n+++ /etc/a.yaml\n@@ -1 +1 @@\n-a: 1\n+a: 2\n"


def urn(kind: str, name: str) -> str:
    types = {"Stack": "pulumi:pulumi:Stack"}
    parent = "kubernetes-audit:index:ControlPlaneNode$command:remote:Command"
    return f"urn:pulumi:dev::kubernetes-audit::{kind if ':' in kind else types.get(kind, parent)}::{name}"


def document(steps: Sequence[tuple[str, ...]] = (), messages: Sequence[tuple[str, str, str]] = ()) -> str:
    """One preview; two more resources stay as they are.

    ``steps`` are (name, operation) or (kind, name, operation); a kind with a colon is a type.
    """
    wanted = [("Command", *step) if len(step) == 2 else step for step in steps]
    return json.dumps(
        {
            "steps": [{"op": operation, "urn": urn(kind, name)} for kind, name, operation in wanted],
            "diagnostics": [
                {"urn": urn("Command", name), "severity": severity, "message": text}
                for name, severity, text in messages
            ],
            "changeSummary": {"same": 2},
        }
    )
