"""The node's side: the shell that runs there, and the command lines that call it.

The files in ``node/`` are joined to one script. Reading facts sends it over standard input, so a preview leaves nothing
on the node. Changing a node calls the copy that the stack installs in ``INSTALLED``. The command lines are the
interface between versions of this program. A ``delete`` text in an old state must still work on new scripts.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from functools import cache

from auditlog.manifest.line_edits import line_edits
from auditlog.node_paths import RECORDS
from auditlog.nodes.second_api_server import shell_constants
from auditlog.project_files import project_folder

INSTALLED = f"{RECORDS}/node.sh"
INSTALLED_FACTS = f"{RECORDS}/facts"
INSTALLED_LEDGER = f"{RECORDS}/ledger"
DECLARED = "declared\n"
READING_NEEDS = (
    f"an account that only reads needs {INSTALLED_FACTS}, which the first 'pulumi up' installs, and this line in "
    f'/etc/sudoers.d: {{user}} ALL=(root) NOPASSWD: {INSTALLED_FACTS} ""'
)
LEDGER_NEEDS = (
    f"an account that only reads needs {INSTALLED_LEDGER}, which 'pulumi up' installs, and this line in "
    f'/etc/sudoers.d: {{user}} ALL=(root) NOPASSWD: {INSTALLED_LEDGER} ""'
)
_PARTS = (
    "common.sh",
    "processes.sh",
    "container_logs.sh",
    "health.sh",
    "marker.sh",
    "path_change.sh",
    "prove.sh",
    "ledger.sh",
    "exchange.sh",
    "archive.sh",
    "policy_history.sh",
    "journal.sh",
    "preconditions.sh",
    "cluster.sh",
    "rehearsal.sh",
    "redirect.sh",
    "firewall.sh",
    "outside.sh",
    "stand_in.sh",
    "loopback.sh",
    "quick.sh",
    "probe.sh",
    "worker.sh",
    "guard.sh",
    "after_boot.sh",
    "transaction.sh",
    "facts.sh",
    "static_policies.sh",
    "policy.sh",
    "quarantine.sh",
    "manifest.sh",
    "kubeadm_config.sh",
    "main.sh",
)
_SOURCE = project_folder("node")
_HEADER = "# The node's side of the Pulumi project kubernetes-audit, without the comments of its source.\n"
_END = "END-OF-THE-EARLIER-TEXT"
# Of every version of the script; node/facts.sh looks for it too.
_LAST_LINE = "esac"
_IS_WHOLE = (
    f'[ "$(tail -n 1 {INSTALLED} 2>&1)" = {_LAST_LINE} ] ||'
    f' {{ echo "error: nothing was done, because this script is not whole; run pulumi up again, which installs it'
    f' anew: {INSTALLED}" >&2; exit 1; }}'
)


@cache
def bundle() -> str:
    """The whole node side as one POSIX sh script, without its comments: the stack keeps it for every node."""
    lines = "".join((_SOURCE / part).read_text() for part in _PARTS).splitlines(keepends=True)
    code = "".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return _HEADER + shell_constants() + code


def facts_command(
    user: str,
    paths: Mapping[str, str] | None,
    *,
    kubeadm_config: bool = True,
    nodes: Sequence[str] = (),
    flagz: bool = False,
    annotations: bool = False,
) -> str:
    """The command that reads a node's facts; it takes ``bundle()`` on standard input.

    ``paths`` are those of ``policy``, ``log`` and ``webhook``; where files deliver annotations, that of
    ``static-policies`` too. None stands for those that the node's own manifest names in its flags.

    Without ``kubeadm_config`` another node is asked for what is the cluster's: kubeadm-config, and
    whether ``nodes`` are Ready, or the node itself if there are none. With ``flagz`` the API server is asked for its
    flags too, and with ``annotations`` for the admission policies of the cluster.
    """
    of_cluster = [_pair("nodes", ",".join(nodes))] if nodes else []
    asked = of_cluster if kubeadm_config else ["kubeadm-config=no"]
    asked = [*asked, *(["flagz=yes"] if flagz else []), *(["annotations=yes"] if annotations else [])]
    return " ".join([f"{as_root(user)}sh -s facts", *_path_pairs(paths), *asked])


def installed_facts_command() -> str:
    """The command by which an account that may do nothing else reads a node's facts. It takes no arguments: a path of
    the caller's choice would let it read any file."""
    return f"sudo -n {INSTALLED_FACTS}"


def installed_ledger_command() -> str:
    """The command by which such an account asks for the ledger. What is asked comes on standard input, and names no
    path."""
    return f"sudo -n {INSTALLED_LEDGER}"


def install_command(user: str, script: str, there_now: str) -> str:
    """The command that installs ``script``, which it takes on standard input, by a rename, and the readers' ways to it.

    ``there_now`` names the copy that the node has, or its absence; it is only there to make the loss of it a diff.
    """
    digest = hashlib.sha256(script.encode()).hexdigest()
    steps = (
        f"umask 077; mkdir -p {RECORDS} && cat >{INSTALLED}.new"
        f' && [ "$(sha256sum <{INSTALLED}.new | cut -d " " -f 1)" = {digest} ]'
        f" && sync {INSTALLED}.new && mv -f {INSTALLED}.new {INSTALLED}"
        f"{_install_reader(INSTALLED_FACTS, 'recorded-facts')}{_install_reader(INSTALLED_LEDGER, 'recorded-ledger')}"
        f" && sync {RECORDS} {RECORDS.rpartition('/')[0]}"
        f" && echo 'node scripts: installed in {RECORDS}'"
    )
    return f"{as_root(user)}sh -c {shlex.quote(steps)} # there now: {there_now}"


def _install_reader(path: str, command: str) -> str:
    """The steps that put a script in place which an account that only reads may run as root."""
    return (
        f" && printf '%s\\n' '#!/bin/sh' 'exec /bin/sh {INSTALLED} {command}' >{path}.new"
        f" && chmod 700 {path}.new && sync {path}.new && mv -f {path}.new {path}"
    )


def uninstall_command(user: str, owner: str) -> str:
    """The command that takes the installed script away with the stack's records.

    An earlier try may have done all of it and lost its power before it could say so. So it is a success too if the
    folder is gone or empty.
    """
    steps = (
        f"if [ ! -d {RECORDS} ] || rmdir {RECORDS} 2>/dev/null; then"
        " cat >/dev/null; echo 'node scripts: an earlier try has removed them';"
        f" else exec sh {INSTALLED} uninstall {_pair('owner', owner)}; fi"
    )
    return f"{as_root(user)}sh -c {shlex.quote(steps)}"


def declare_command(user: str) -> str:
    """The command that locks a node for a program that declares it, and prints ``DECLARED``.

    It ends with its standard input, or a minute after the last dot there: the operator's machine may be gone.
    """
    steps = (
        f"exec 8>>{RECORDS}/declared && flock -s 8 && echo {DECLARED.strip()} && "
        'while [ "$(timeout 60 head -c 1)" = . ]; do :; done'
    )
    return f"{as_root(user)}sh -c {shlex.quote(steps)} 2>&1"


def call(user: str, command: str, **arguments: str) -> str:
    """A call of the installed script, one readable line: the command and ``name=value`` pairs."""
    pairs = " ".join(_pair(name.replace("_", "-"), value) for name, value in arguments.items())
    return f"{as_root(user)}sh {INSTALLED} {command} {pairs}".rstrip()


def apply_call(user: str, command: str, **arguments: str) -> str:
    """A call that fails where the installed script is not whole.

    A shell runs an empty script, and one that breaks off between two functions, to its end and calls that a success.
    """
    # A sudo that logs what commands are given would take the standard input that is the call's.
    return f"{as_root(user)}sh -c {shlex.quote(_IS_WHOLE)} </dev/null && {call(user, command, **arguments)}"


def call_with_text(user: str, command: str, text: str, **arguments: str) -> str:
    """A call that carries ``text`` on standard input in the command itself, as a here-document.

    It is for ``delete``, which has no input: the provider sends the last update's. The command must read that, or the
    provider reports that a command which ends early failed. A text that lacks a final line break gets one from the
    here-document, and the node takes it off by the hash.
    """
    end = _END
    while end in text:
        end += "-"
    body = text if text.endswith("\n") else text + "\n"
    return f"cat >/dev/null; {call(user, command, **arguments)} <<'{end}'\n{body}{end}\n"


def call_to_give_back(user: str, command: str, desired: str, before: str, *, by_edits: bool, **arguments: str) -> str:
    """A call for ``delete`` that restores the text ``before``.

    With ``by_edits`` the node makes it from ``desired``, the last update's input, which the provider sends. A command
    line would show it to anybody on the node. Older scripts take the text in the command itself.
    """
    if not by_edits:
        return call_with_text(user, command, before, **arguments)
    source, target = (text if text.endswith("\n") or not text else text + "\n" for text in (desired, before))
    return call(user, command, **arguments, edits=line_edits(source, target))


def sent_command(user: str, command: str, **arguments: str) -> str:
    """A call of ``bundle()``, which goes along on standard input, whatever is installed."""
    pairs = (_pair(name.replace("_", "-"), value) for name, value in arguments.items())
    return " ".join([f"{as_root(user)}sh -s {command}", *pairs])


def _path_pairs(paths: Mapping[str, str] | None) -> list[str]:
    return [] if paths is None else [_pair(name, path) for name, path in paths.items()]


def as_root(user: str) -> str:
    """What stands before a command for it to run as root."""
    return "" if user == "root" else "sudo -n "


def _pair(name: str, value: str) -> str:
    return shlex.quote(f"{name}={value}")
