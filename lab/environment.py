"""The environment in which Pulumi works on the lab: its own home, state and tools, nothing of the user's session."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lab import build, tools
from lab.paths import Paths
from lab.state import load


def environment(paths: Paths | None = None) -> dict[str, str]:
    """All variables for running ``pulumi`` against the lab.

    PATH has the Python environment first, since the language host takes ``python3`` from it; then the official
    Pulumi programs that were found, then the lab's own and its kubectl. The providers are put where the engine looks
    for installed plugins. No agent may offer other keys.
    """
    where = paths or Paths.of()
    state = load(where.state)
    minor = state.kubernetes if state else tools.KUBERNETES_MINORS[0]
    official = [
        found.parent for tool in tools.pulumi_tools() if not tool.provider and (found := build.official_path(tool))
    ]
    folders = [Path(sys.prefix) / "bin", *official, where.bin, where.kubernetes_bin(minor)]
    variables = {name: value for name, value in os.environ.items() if name not in ("SSH_AUTH_SOCK", "KUBECONFIG")}
    path = [str(folder) for folder in dict.fromkeys(folders)] + [variables.get("PATH", "")]
    where.pulumi_state.mkdir(parents=True, exist_ok=True)
    _install_plugins(where)
    return {
        **variables,
        "PATH": os.pathsep.join(path),
        "PULUMI_HOME": str(where.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{where.pulumi_state}",
        "PULUMI_CONFIG_PASSPHRASE": "lab",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _install_plugins(paths: Paths) -> None:
    """Link the providers into the plugin folder; the engine warns about each that it has to take from PATH."""
    for tool in tools.pulumi_tools():
        if not tool.provider:
            continue
        link = paths.pulumi_home / "plugins" / f"resource-{tool.provider}-v{tool.version}" / tool.name
        target = build.official_path(tool) or tool.path(paths)
        if link.is_symlink() and link.readlink() == target:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
