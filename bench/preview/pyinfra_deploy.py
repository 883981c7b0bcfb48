"""The same for ``pyinfra --dry``: what this program's preview reads and edits."""

from pathlib import Path

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files

data = host.data
files.put(src=data.policy_text, dest=data.policy_path, mode="600")
files.directory(path=data.log_folder)
for line in data.manifest_lines:
    files.line(path=data.manifest_path, line=line, escape_regex_characters=True)
host.get_fact(Command, "ls -l /etc/kubernetes/manifests; pgrep -a kube-apiserver; df -Pk " + data.log_folder)
if data.reads_cluster_configuration:
    found = host.get_fact(
        Command,
        "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config"
        " -o jsonpath={.data.ClusterConfiguration}",
    )
    if found.strip() != Path(data.cluster_configuration_text).read_text().strip():
        raise ValueError("kubeadm-config differs")
