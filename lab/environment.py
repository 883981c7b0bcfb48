"""The environment in which Pulumi works on the lab: its own home, state and tools, nothing of the user's session."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from auditlog.settings.package_schema import NAME, package_version
from lab import build, tools
from lab.paths import NODE_FILES, Paths
from lab.state import load

_NOT_OURS = ("SSH_AUTH_SOCK", "KUBECONFIG", "PYTHONDONTWRITEBYTECODE")
"""No agent may offer other keys, no other cluster be meant, and a program is compiled once, as a user's is."""


def environment(paths: Paths | None = None, python: Path | None = None) -> dict[str, str]:
    """All variables for running ``pulumi`` against the lab.

    PATH begins with the Python environment, ``python`` or the one that runs now: the language host takes ``python3``
    from it. Then come the Pulumi CLI and its language host, official or the lab's, and the lab's kubectl.
    """
    where = paths or Paths.of()
    state = load(where.state)
    minor = state.kubernetes if state else tools.KUBERNETES_MINORS[0]
    where.pulumi_state.mkdir(parents=True, exist_ok=True)
    _install(where)
    folders = ((python or Path(sys.prefix)) / "bin", where.pulumi_home / "bin", where.kubernetes_bin(minor))
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    return {
        **variables,
        "PATH": os.pathsep.join([*map(str, folders), variables.get("PATH", "")]),
        "PULUMI_HOME": str(where.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{where.pulumi_state}",
        "PULUMI_CONFIG_PASSPHRASE": "lab",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _install(paths: Paths) -> None:
    """Link programs and providers into the lab's Pulumi home, as an installation of Pulumi lays them out.

    The engine warns about each provider that it has to take from PATH, so they are not put there. A provider that is
    not built has no folder, as the Kubernetes provider for the demonstration alone. The engine would take a folder for
    an installed plugin.
    """
    for tool in (*tools.pulumi_tools(), tools.kubernetes_provider()):
        program = build.official_path(tool) or tool.path(paths)
        folder = f"plugins/resource-{tool.provider}-v{tool.version}" if tool.provider else "bin"
        if tool.provider and not program.exists():
            shutil.rmtree(paths.pulumi_home / folder, ignore_errors=True)
            continue
        for target in (program, *(program.parent / Path(name).name for name in tool.beside)):
            _link(paths.pulumi_home / folder / target.name, target)
    package = package_plugin(paths.pulumi_home / "plugins")
    _link(package, NODE_FILES / package.name)


def package_plugin(plugins: Path) -> Path:
    """Where this project's own package belongs in a folder of installed plugins."""
    return plugins / f"resource-{NAME}-v{package_version()}" / f"pulumi-resource-{NAME}"


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
