"""The pod that runs Alloy on a control-plane node."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pulumi_kubernetes import core, meta

from auditlog.observe.alloy import CREDENTIALS_FOLDER, NODE_VARIABLE, STORAGE
from auditlog.observe.source import Source
from auditlog.settings import AlloySettings

NAME = "alloy-audit"
CONFIGURATION_FILE = "config.alloy"
RUN_FILE = "run.sh"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "kubernetes-audit"}

PORT = 12345
_CONFIGURATION_FOLDER = "/etc/alloy"
_TAINTS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def alloy_pod(
    alloy: AlloySettings, source: Source, files: Mapping[str, str], credentials: str | None
) -> core.v1.PodTemplateSpecArgs:
    """The pod for ``files``, the texts that the ConfigMap holds by name; ``credentials`` is the name of the Secret.

    A changed text changes an annotation and with it the pod. Credentials are files that Alloy reads again.
    """
    checksum = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return core.v1.PodTemplateSpecArgs(
        metadata=meta.v1.ObjectMetaArgs(
            labels=LABELS,
            annotations={"checksum/config": checksum},
        ),
        spec=core.v1.PodSpecArgs(
            service_account_name=NAME,
            automount_service_account_token=False,
            enable_service_links=False,
            host_network=alloy.host_network,
            dns_policy="ClusterFirstWithHostNet" if alloy.host_network else "ClusterFirst",
            # Evidence is to be shipped also from a node that runs short of memory.
            priority_class_name="system-node-critical",
            # Alloy gives up what it cannot deliver 15 seconds after a stop. With Loki away and its queue full, 1.18.1
            # does not end by itself, and is killed: the next start reads from where all had arrived.
            termination_grace_period_seconds=60,
            node_selector=dict(alloy.node_selector),
            tolerations=[core.v1.TolerationArgs(key=taint, operator="Exists") for taint in _TAINTS],
            security_context=core.v1.PodSecurityContextArgs(
                seccomp_profile=core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            containers=[_container(alloy, source, credentials)],
            volumes=_volumes(source, credentials),
        ),
    )


def _container(alloy: AlloySettings, source: Source, credentials: str | None) -> core.v1.ContainerArgs:
    mounts = [
        core.v1.VolumeMountArgs(name="configuration", mount_path=_CONFIGURATION_FOLDER, read_only=True),
        core.v1.VolumeMountArgs(name="logs", mount_path=source.folder, read_only=True),
        core.v1.VolumeMountArgs(name="storage", mount_path=STORAGE),
    ]
    if credentials is not None:
        mounts.append(core.v1.VolumeMountArgs(name="credentials", mount_path=CREDENTIALS_FOLDER, read_only=True))
    return core.v1.ContainerArgs(
        name="alloy",
        image=alloy.image,
        command=["/bin/bash", f"{_CONFIGURATION_FOLDER}/{RUN_FILE}", STORAGE, str(alloy.catch_up_minutes)],
        args=[
            "alloy",
            "run",
            f"{_CONFIGURATION_FOLDER}/{CONFIGURATION_FILE}",
            f"--storage.path={STORAGE}",
            # otelcol.receiver.filelog is a public preview in Alloy 1.18.
            "--stability.level=public-preview",
            # Not on every address: with the node's own network those are the node's, its loopback among them.
            f"--server.http.listen-addr=[$(POD_IP)]:{PORT}",
            "--server.http.disable-support-bundle",
            "--server.http.enable-pprof=false",
            "--disable-reporting",
        ],
        env=[
            _of_the_pod(NODE_VARIABLE, "spec.nodeName"),
            _of_the_pod("POD_IP", "status.podIP"),
            core.v1.EnvVarArgs(name="PORT", value=str(PORT)),
        ],
        ports=[core.v1.ContainerPortArgs(name="http-metrics", container_port=PORT)],
        readiness_probe=core.v1.ProbeArgs(
            http_get=core.v1.HTTPGetActionArgs(path="/-/ready", port="http-metrics"),
            period_seconds=5,
        ),
        resources=core.v1.ResourceRequirementsArgs(
            requests={"cpu": alloy.resources.cpu, "memory": alloy.resources.memory},
            limits={"memory": alloy.resources.memory_limit},
        ),
        security_context=core.v1.SecurityContextArgs(
            # The API server makes its log readable for root alone; owning it, root needs no capability for that.
            run_as_user=0,
            run_as_group=0,
            read_only_root_filesystem=True,
            allow_privilege_escalation=False,
            capabilities=core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=mounts,
    )


def _of_the_pod(variable: str, field: str) -> core.v1.EnvVarArgs:
    reference = core.v1.ObjectFieldSelectorArgs(field_path=field)
    return core.v1.EnvVarArgs(name=variable, value_from=core.v1.EnvVarSourceArgs(field_ref=reference))


def _volumes(source: Source, credentials: str | None) -> list[core.v1.VolumeArgs]:
    volumes = [
        core.v1.VolumeArgs(name="configuration", config_map=core.v1.ConfigMapVolumeSourceArgs(name=NAME)),
        _host_folder("logs", source.folder),
        _host_folder("storage", STORAGE),
    ]
    if credentials is not None:
        secret = core.v1.SecretVolumeSourceArgs(secret_name=credentials, default_mode=0o400)
        volumes.append(core.v1.VolumeArgs(name="credentials", secret=secret))
    return volumes


def _host_folder(name: str, path: str) -> core.v1.VolumeArgs:
    # A node that joins later has neither folder until its first pod asks for it.
    return core.v1.VolumeArgs(
        name=name, host_path=core.v1.HostPathVolumeSourceArgs(path=path, type="DirectoryOrCreate")
    )
