"""What goes on in a healthy cluster on a working day: a developer releases, an administrator looks after the node.

A release a minute is far more than a team makes, so that rules with a threshold have something to count.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import yaml

from lab.api import Lab
from lab.observability.stack import Observability
from tests.observability.shipping import NAMESPACE, restart_node

TEAM = "normal-operations"
_APP = "web"
_MINUTE = 60
_WAIT = "--timeout=120s"
# The only node of the lab has the control plane's taint.
_ON_THE_CONTROL_PLANE = {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}


def operate(lab: Lab, observability: Observability, folder: Path, seconds: float) -> None:
    """Releases, reads and maintenance for at least so many seconds, a restart of the node among them.

    Prometheus is told of Alloy's address as it goes, as service discovery does it: the restart changes it.
    """
    remove(lab)
    ends = time.monotonic() + seconds
    _welcome_a_team(lab)
    for release in itertools.count(1):
        began = time.monotonic()
        observability.find_alloy(NAMESPACE)
        _release(lab, folder, release)
        _look_into_the_application(lab)
        _look_after_the_cluster(lab)
        if release == 2:
            _maintain_the_node(lab)
        if release == 4:
            restart_node(lab)
        if time.monotonic() > ends and release >= 4:
            break
        time.sleep(max(0.0, began + _MINUTE - time.monotonic()))
    remove(lab)


def remove(lab: Lab) -> None:
    """Takes away what ``operate`` made, also after a run that was killed."""
    lab.kubectl("uncordon", lab.nodes[0].name)
    kinds = "deployments,services,configmaps,cronjobs,jobs"
    lab.kubectl("delete", kinds, "-l", f"app={_APP}", "--ignore-not-found", as_user="alice")
    lab.kubectl("delete", "namespace", TEAM, "--ignore-not-found", _WAIT)


def _welcome_a_team(lab: Lab) -> None:
    lab.kubectl("create", "namespace", TEAM)
    lab.kubectl("-n", TEAM, "create", "quota", "team", "--hard=pods=20")
    lab.kubectl("-n", TEAM, "create", "serviceaccount", "reporter")
    lab.kubectl("-n", TEAM, "create", "role", "reporter", "--verb=get,list", "--resource=configmaps")
    lab.kubectl("-n", TEAM, "create", "rolebinding", "reporter", "--role=reporter", f"--serviceaccount={TEAM}:reporter")


def _release(lab: Lab, folder: Path, release: int) -> None:
    """A new configuration and image, more replicas and fewer, a step back, a job."""
    file = folder / "release.yaml"
    file.write_text(yaml.safe_dump_all(_manifests(lab, release)))
    for command in (
        f"diff -f {file}",
        f"apply --dry-run=server -f {file}",
        f"apply -f {file}",
        f"rollout status deployment/{_APP} {_WAIT}",
        f"scale deployment/{_APP} --replicas=4",
        f"rollout status deployment/{_APP} {_WAIT}",
        f"rollout restart deployment/{_APP}",
        f"rollout status deployment/{_APP} {_WAIT}",
        f"rollout history deployment/{_APP}",
        f"rollout undo deployment/{_APP}",
        f"scale deployment/{_APP} --replicas=2",
        f"rollout status deployment/{_APP} {_WAIT}",
        f"wait --for=condition=complete job/report-{release} {_WAIT}",
        f"logs job/report-{release}",
        f"delete job report-{release}",
    ):
        # `kubectl diff` ends with 1 when there is a difference.
        lab.kubectl(*command.split(), as_user="alice", check=not command.startswith("diff"))


def _look_into_the_application(lab: Lab) -> None:
    for command in (
        "get all",
        "get pods -o wide",
        "get configmaps,services,cronjobs",
        "get events --sort-by=.lastTimestamp",
        f"describe deployment {_APP}",
        f"describe pods -l app={_APP}",
        f"logs -l app={_APP} --tail=20",
        "auth can-i create deployments",
        "explain deployment.spec.strategy",
        "api-resources",
    ):
        lab.kubectl(*command.split(), as_user="alice")
    # What a person is refused now and then.
    lab.kubectl("get", "nodes", as_user="alice", check=False)
    lab.kubectl("get", "pods", "--all-namespaces", as_user="alice", check=False)


def _look_after_the_cluster(lab: Lab) -> None:
    name = lab.nodes[0].name
    for command in (
        "get nodes -o wide",
        f"describe node {name}",
        "get pods --all-namespaces -o wide",
        "get events --all-namespaces",
        "get deployments,daemonsets,jobs --all-namespaces",
        "get namespaces,resourcequotas --all-namespaces",
        "get clusterroles,clusterrolebindings",
        f"-n kube-system logs kube-controller-manager-{name} --tail=20",
        "-n kube-system get configmap kubeadm-config -o yaml",
        "get --raw /readyz?verbose",
        "get --raw /metrics",
        "version",
        "cluster-info",
    ):
        lab.kubectl(*command.split())


def _maintain_the_node(lab: Lab) -> None:
    """Takes the pods off the node, and lets them come back."""
    name = lab.nodes[0].name
    lab.kubectl("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", _WAIT)
    lab.kubectl("uncordon", name)
    lab.kubectl("rollout", "status", f"deployment/{_APP}", _WAIT, as_user="alice")


def _manifests(lab: Lab, release: int) -> list[dict[str, object]]:
    labels = {"app": _APP}
    pause = _image(lab, "pause")
    scheduler = _image(lab, "kube-scheduler")
    report = {"name": "report", "image": scheduler, "command": ["kube-scheduler", "--version"]}
    job = {"template": {"spec": {"containers": [report], "restartPolicy": "Never", **_ON_THE_CONTROL_PLANE}}}
    web = {
        "name": _APP,
        "image": pause,
        "env": [{"name": "RELEASE", "value": str(release)}],
        "envFrom": [{"configMapRef": {"name": _APP}}],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }
    specs: list[tuple[str, str, str, dict[str, object]]] = [
        ("v1", "ConfigMap", _APP, {"data": {"release": str(release)}}),
        ("v1", "Service", _APP, {"spec": {"selector": labels, "ports": [{"port": 80}]}}),
        (
            "apps/v1",
            "Deployment",
            _APP,
            {
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [web], "terminationGracePeriodSeconds": 1, **_ON_THE_CONTROL_PLANE},
                    },
                }
            },
        ),
        ("batch/v1", "Job", f"report-{release}", {"spec": job}),
        ("batch/v1", "CronJob", "report", {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job}}}),
    ]
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **rest}
        for version, kind, name, rest in specs
    ]


def _image(lab: Lab, name: str) -> str:
    """The image of that name which the node has; there is no registry to ask for another."""
    listed = lab.nodes[0].run("ctr --namespace=k8s.io images list --quiet").stdout.split()
    return next(image for image in listed if image.rsplit("/", 1)[-1].startswith(f"{name}:"))
