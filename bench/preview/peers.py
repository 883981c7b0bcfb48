"""Ansible and pyinfra, in an environment of their own, set up to read and edit what this program does."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.preview.requirements_environment import install

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements.txt"


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers' programs in ``environment`` and their inventory in ``folder``.

    ``data`` is what both are told to bring about, ``hosts`` the SSH port of each node by its name.
    """

    environment: Path
    folder: Path
    user: str
    key: Path
    hosts: Mapping[str, int]
    data: Mapping[str, Any]

    def install(self) -> None:
        """Makes the environment from the pinned requirements, or leaves the one made from them."""
        install(self.environment, _REQUIREMENTS, "Ansible and pyinfra")

    def write_inventories(self, known_hosts: str) -> None:
        """Writes both inventories, with the nodes' host keys in a known_hosts file that both use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.folder / "known_hosts"
        known.write_text(known_hosts)
        common = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
        hosts = {
            name: {
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_user": self.user,
                "ansible_ssh_private_key_file": str(self.key),
                "ansible_ssh_common_args": common,
            }
            for name, port in self.hosts.items()
        }
        inventory = {"control_plane": {"hosts": hosts, "vars": dict(self.data)}}
        (self.folder / "inventory.yaml").write_text(yaml.safe_dump(inventory))
        (self.folder / "ansible.cfg").write_text("[defaults]\nforks = 10\n[ssh_connection]\npipelining = True\n")
        connections = {
            name: {
                "ssh_hostname": "127.0.0.1",
                "ssh_port": port,
                "ssh_user": self.user,
                "ssh_key": str(self.key),
                "ssh_known_hosts_file": str(known),
                "ssh_strict_host_key_checking": "yes",
                "reads_cluster_configuration": name == next(iter(self.hosts)),
            }
            for name, port in self.hosts.items()
        }
        hosts_and_data = [(name, {**connection, **self.data}) for name, connection in connections.items()]
        (self.folder / "inventory.py").write_text(f"control_plane = {hosts_and_data!r}\n")

    def ansible(self) -> None:
        """``ansible-playbook --check --diff``. Raises SystemExit when it fails or would change something."""
        playbook = str(_HERE / "playbook.yaml")
        printed = self._run(
            "ansible-playbook", "--check", "--diff", "-i", str(self.folder / "inventory.yaml"), playbook
        )
        if printed.count("changed=0") != len(self.hosts):
            raise SystemExit(f"ansible-playbook would change something:\n{printed}")

    def pyinfra(self) -> None:
        """``pyinfra --dry``. Raises SystemExit when it fails or would change something."""
        deploy = str(_HERE / "pyinfra_deploy.py")
        printed = self._run("pyinfra", "--dry", "--diff", "--sudo", str(self.folder / "inventory.py"), deploy)
        # Its table has a dash for no change in each of its two columns.
        operations = [line.split()[-2:] for line in printed.splitlines() if line.lstrip().startswith("files.")]
        if not operations or any(columns != ["-", "-"] for columns in operations):
            raise SystemExit(f"pyinfra would change something:\n{printed}")

    def _run(self, *words: str) -> str:
        command = [str(self.environment / "bin" / words[0]), *words[1:]]
        variables = {
            "PATH": f"{self.environment / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "LANG": "C.UTF-8",
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=variables,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"{words[0]} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout
