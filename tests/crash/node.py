"""A control-plane node whose ``/etc/kubernetes`` is on a disk of its own, with the node's real scripts.

Every command runs as it is sent, in a mount namespace in which the disk is ``/etc/kubernetes``. kubelet and the API
server are fakes that come up at once or never. Programs that change names on the disk, and ``sync``, count: each is
a moment at which the power can be cut, right before it, or at which the disk is copied as a power cut would leave it.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from auditlog.manifest import manifest
from auditlog.nodes import node_scripts
from auditlog.nodes.facts import Facts, parse_facts
from tests.crash.disk import Cut, Disk, shutdown_script
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST

KUBERNETES = Path("/etc/kubernetes")
# Renames, exchanges (perl, where mv cannot), links and removals; and sync, before which a name is not on the disk.
_TOOLS = ("mv", "ln", "rm", "perl", "sync")
_TOOL = """\
#!/bin/sh
read -r count <'{ram}/count'
count=$((count + 1))
about="{tool} $*"
echo "$count" >'{ram}/count'
echo "$about" >>'{ram}/moments'
read -r wanted <'{ram}/wanted'
case $count:$about in $wanted) . '{ram}/then' ;; esac
exec /usr/bin/{tool} "$@"
"""
# What a program does first at a moment that is wanted.
_CUT = """\
echo "$about" >'{ram}/cut-at'
sed -n 's/^step=//p' {state}/journal >'{ram}/cut-in' 2>/dev/null
{shutdown}
kill -KILL 0
"""
_COPY = """\
mkdir "{ram}/copies/$count"
sed -n 's/^step=//p' {state}/journal >"{ram}/copies/$count/step" 2>/dev/null
{copy} "{ram}/copies/$count/image" && /usr/bin/cp '{ram}/etcd/version' '{ram}/etcd/text' "{ram}/copies/$count"
"""
# The installed script, or the one on standard input, with the fakes right before it does what it was called for.
_SHELL = """\
#!/bin/sh
case ${{1:-}} in
    */node.sh) [ -f "$1" ] || exec /bin/sh "$@"; script=$1 ;;
    -s) script=/dev/stdin ;;
    *) exec /bin/sh "$@" ;;
esac
shift
awk -v with='{ram}/fakes' '/^command=\\$1$/ {{ while ((getline line <with) > 0) print line }} {{ print }}' \\
    "$script" >'{ram}/script'
exec /bin/sh '{ram}/script' "$@"
"""
_FAKES = """\
sleep() {{ :; }}
detached() {{ "$@"; }}
worker=1:1 guard=
keep_guard() {{ :; }}
kubelet_runs() {{ :; }}
processes_named() {{ [ "$1" != kubelet ] || echo 1; }}
list_images() {{ sed -n 's/^ *image: *//p' "$MANIFEST"; }}
sandbox_image() {{ :; }}
still_runs() {{ return 1; }}
starts() {{ ! grep -qsxF "$(hash_of "$MANIFEST")" '{ram}/broken'; }}
new_runs() {{ new=77; starts; }}
healthy() {{ case $1 in *:1644*) ;; *) starts ;; esac; }}
prove_recording() {{ :; }}
look_at_cluster() {{ :; }}
look_at_api() {{ :; }}
look_at_etcd() {{ :; }}
marker_arrives() {{ :; }}
is_listened_on() {{ return 1; }}
fence_canary() {{ :; }}
withdraw_fence() {{ :; }}
start_prober() {{ outside=from_outside_the_host; }}
from_outside_the_host() {{ "$@"; }}
stop_prober() {{ :; }}
come_inside() {{ :; }}
firewall_about() {{ :; }}
redirect() {{ : >'{ram}/redirected'; }}
is_redirected() {{ [ -e '{ram}/redirected' ]; }}
withdraw_redirect() {{ /usr/bin/rm -f '{ram}/redirected'; }}
"""
# The ConfigMap kubeadm-config; etcd's disk is another one.
_KUBECTL = """\
#!/bin/sh
folder='{ram}/etcd'
case " $* " in
    *" patch "*)
        for file in "$@"; do case $file in /*.json) break ;; esac; done
        python3 -I -S -c 'import json, sys
print(end=json.load(open(sys.argv[1]))["data"]["ClusterConfiguration"])' "$file" >"$folder/text" &&
            echo "$(($(cat "$folder/version") + 1))" >"$folder/version" ;;
    *"ConfigMap/{{"*) printf 'ConfigMap/%s ' "$(cat "$folder/version")"; cat "$folder/text"; printf . ;;
    *"{{.metadata.resourceVersion}}{{"*) cat "$folder/version" "$folder/text"; printf . ;;
    *"{{.metadata.resourceVersion}} {{"*) printf '%s ' "$(cat "$folder/version")"; cat "$folder/text"; printf . ;;
    *"{{.metadata.resourceVersion}}"*) cat "$folder/version" ;;
    *"{{.data.ClusterConfiguration}}"*) cat "$folder/text" ;;
    *) exit 1 ;;
esac
"""
# The machine's own /etc and /var/log stay as they are: a memory disk takes what is written there.
_ENTER = """\
mount -t tmpfs tmpfs /var/log && mkdir /var/log/upper /var/log/work &&
mount -t overlay -o lowerdir=/etc,upperdir=/var/log/upper,workdir=/var/log/work overlay /etc &&
mkdir -p /etc/kubernetes && mount --bind "$1" /etc/kubernetes && mount --bind "$2" /usr/local/sbin && exec sh -c "$3"
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command on the node ended. ``cut_at`` is the program before which the power was cut, None if it was not."""

    status: int
    printed: str
    cut_at: str | None = None
    cut_in: str = ""


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """The disk as a power cut before moment ``moment`` would leave it, in which the journal said ``step``."""

    folder: Path
    moment: int
    step: str


@dataclass(frozen=True, slots=True)
class CrashNode:
    """The node. ``ram`` holds what is not on its disk: the fakes, and what they know."""

    disk: Disk
    ram: Path

    @property
    def kubernetes(self) -> Path:
        return self.disk.folder / "kubernetes"

    @property
    def manifest(self) -> Path:
        return self.kubernetes / "manifests/kube-apiserver.yaml"

    @property
    def state(self) -> Path:
        return self.kubernetes / "audit-logging"

    def install(self) -> None:
        """As kubeadm leaves it. The disk is mounted."""
        self.manifest.parent.mkdir(parents=True)
        self.manifest.write_text(MANIFEST)
        self.manifest.chmod(0o600)
        (self.kubernetes / "admin.conf").write_text("the administrator's\n")
        (self.kubernetes / "kubelet.conf").write_text("users:\n- name: system:node:cp1\n")
        os.sync()

    def equip(self, cut: Cut = Cut.BARE, *, syncs: bool = True) -> None:
        """Makes the fakes. ``cut`` is how the power goes; without ``syncs`` the scripts' sync does nothing."""
        places = {
            "ram": str(self.ram),
            "state": f"{KUBERNETES}/audit-logging",
            "shutdown": shlex.join(shutdown_script(KUBERNETES, cut)),
            "copy": self.disk.copy_script(cut),
        }
        tools = self.ram / "bin"
        tools.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.ram / "copies", ignore_errors=True)
        (self.ram / "copies").mkdir()
        (self.ram / "redirected").unlink(missing_ok=True)
        for name, text in (("cut", _CUT), ("copy", _COPY)):
            (self.ram / name).write_text(text.format(**places))
        texts = {tool: _TOOL.format(tool=tool, **places) for tool in _TOOLS}
        if not syncs:
            texts["sync"] = texts["sync"].replace('exec /usr/bin/sync "$@"', "exit 0")
        texts |= {"sh": _SHELL.format(**places), "kubectl": _KUBECTL.format(**places)}
        for name, text in texts.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        (self.ram / "fakes").write_text(_FAKES.format(**places))
        (self.ram / "etcd").mkdir(exist_ok=True)
        (self.ram / "etcd/version").write_text("7\n")
        (self.ram / "etcd/text").write_text(CLUSTER_CONFIGURATION)
        (self.ram / "broken").write_text("")
        self.cut_power_at(0)

    def cut_power_at(self, moment: int | str) -> None:
        """From now on the moments are counted from 1, and the power is cut at this one; never at 0.

        A text stands for the first moment at which a command that begins with it is about to run.
        """
        self._count(f"*:{moment}*" if isinstance(moment, str) else f"{moment}:*", "cut")

    def copy_disk_at(self, moment: str = "") -> None:
        """From now on the moments are counted from 1, and at each the disk is copied as a power cut would leave it.

        With a text only at those at which a command that begins with it is about to run.
        """
        self._count(f"*:{moment}*", "copy")

    def copy_disk_now(self) -> None:
        """The same while nothing runs, as if this were the next moment."""
        count = str(self.count() + 1)
        subprocess.run(["/bin/sh", str(self.ram / "copy")], env={"count": count}, check=True)

    def _count(self, wanted: str, then: str) -> None:
        (self.ram / "count").write_text("0\n")
        (self.ram / "wanted").write_text(f"{wanted}\n")
        (self.ram / "then").write_text((self.ram / then).read_text())
        for name in ("cut-at", "cut-in", "moments"):
            (self.ram / name).unlink(missing_ok=True)

    def count(self) -> int:
        """How many moments there were so far."""
        return int((self.ram / "count").read_text())

    def moments(self) -> list[str]:
        """What was about to run at each of them so far."""
        return (self.ram / "moments").read_text().splitlines()

    def copies(self) -> list[DiskCopy]:
        """Those made so far, in their order."""
        folders = sorted((self.ram / "copies").iterdir(), key=lambda folder: int(folder.name))
        return [DiskCopy(folder, int(folder.name), (folder / "step").read_text().strip()) for folder in folders]

    def take(self, copied: DiskCopy) -> None:
        """The power was cut when that copy was made. etcd, which has a disk of its own, was still there."""
        (copied.folder / "image").replace(self.disk.image)
        for name in ("version", "text"):
            shutil.copy(copied.folder / name, self.ram / "etcd" / name)

    def remember(self, other: CrashNode) -> None:
        """etcd, which has a disk of its own, holds what it holds there."""
        for name in ("version", "text"):
            shutil.copy(other.ram / "etcd" / name, self.ram / "etcd" / name)

    def cut_power(self, cut: Cut) -> None:
        """While nothing runs."""
        subprocess.run(shutdown_script(self.disk.folder, cut), check=True)

    def boot(self) -> None:
        """The power is back. The redirect is gone with the kernel that had it."""
        self.disk.unmount()
        self.disk.mount()
        (self.ram / "redirected").unlink(missing_ok=True)
        self.cut_power_at(0)

    def cannot_start_with(self, *manifests_sha256: str) -> None:
        """The API server ends at once with manifests of these hashes."""
        (self.ram / "broken").write_text("".join(f"{each}\n" for each in manifests_sha256))

    def run(self, command: str, given: str = "") -> Ran:
        """Runs a command as the connection does."""
        paths = [str(self.kubernetes), str(self.ram / "bin")]
        done = subprocess.run(
            ["unshare", "--mount", "/bin/sh", "-c", _ENTER, "sh", *paths, command],
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            start_new_session=True,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        cut_at, cut_in = self.ram / "cut-at", self.ram / "cut-in"
        if not cut_at.exists():
            return Ran(done.returncode, done.stdout)
        return Ran(done.returncode, done.stdout, cut_at.read_text().strip(), cut_in.read_text().strip())

    def facts(self, policy: str, webhook: str) -> Facts:
        """What the program reads of the files at these paths. The live manifest's API server runs."""
        paths = {"policy": policy, "log": "/var/log/kubernetes/audit/audit.log", "webhook": webhook}
        answer = self.run(node_scripts.facts_command("root", paths), node_scripts.bundle())
        assert answer.status == 0, answer.printed
        arguments = "".join(f"{argument}\0" for argument in manifest.arguments(self.manifest.read_text()))
        process = f"process 77 {int(time.time()) + 60} {base64.b64encode(arguments.encode()).decode()}"
        return parse_facts(answer.printed.removesuffix("end\n") + f"{process}\nend\n")
