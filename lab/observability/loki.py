"""The lab's Loki: one process, storage in a folder, limits as Loki ships them but no stream shards, and a ruler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.observability.service import Service, member
from lab.paths import Paths
from lab.state import LabState

PORT = 3100
_NUMBER = 5
_CONFIGURATION = "loki.yaml"


def service(paths: Paths, state: LabState) -> Service:
    """Loki as a server of the lab."""
    folder = paths.observability / "loki"
    command = (paths.bin / "loki", f"-config.file={folder / _CONFIGURATION}")
    return Service(member(state, "loki", _NUMBER), PORT, "/ready", command, folder)


def write_configuration(folder: Path, alertmanager_url: str) -> None:
    """Write what Loki reads at start. Rules that fire are sent to ``alertmanager_url``."""
    (folder / "rules" / "fake").mkdir(parents=True, exist_ok=True)
    (folder / _CONFIGURATION).write_text(yaml.safe_dump(configuration(folder, alertmanager_url), sort_keys=False))


def configuration(folder: Path, alertmanager_url: str) -> dict[str, Any]:
    """Loki's configuration with everything below ``folder``.

    Rules are files of Prometheus' format in ``rules/fake``, the folder of the tenant that there is without
    authentication; they are read again once a minute. The ruler's API only shows them.
    """
    store = {"from": "2024-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13"}
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {"http_listen_port": PORT, "grpc_listen_port": 9096, "log_level": "warn"},
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(folder),
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": str(folder / "chunks")}},
        },
        "schema_config": {"configs": [{**store, "index": {"prefix": "index_", "period": "24h"}}]},
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        # Shards of a stream are streams of their own, and what was sent twice is left out within one stream alone.
        "limits_config": {"shard_streams": {"enabled": False}},
        "ruler": {
            "storage": {"type": "local", "local": {"directory": str(folder / "rules")}},
            "rule_path": str(folder / "rules-scratch"),
            "enable_api": True,
            "alertmanager_url": alertmanager_url,
            "evaluation_interval": "15s",
            "poll_interval": "10s",
        },
        "query_range": {"cache_results": False},
    }


def taking_rules(configuration: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same for a Loki whose ruler takes rules through its API and keeps them below ``folder``; with tenants."""
    ruler = {key: value for key, value in configuration["ruler"].items() if key != "storage"}
    return {
        **configuration,
        "auth_enabled": True,
        "ruler": ruler,
        "storage_config": {
            "use_thanos_objstore": True,
            "object_store": {"filesystem": {"dir": str(folder / "chunks")}},
        },
        "ruler_storage": {"backend": "filesystem", "filesystem": {"dir": str(folder / "rules")}},
    }
