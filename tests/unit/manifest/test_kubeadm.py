"""The real kubeadm accepts every edit of ClusterConfiguration, and writes the edited manifest from it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.manifest import kubeadm_config, manifest, manifest_edit, yaml_edit
from auditlog.manifest.desired import audit_configuration
from auditlog.manifest.ownership import owned_by
from auditlog.settings import LogSettings, PolicySettings
from tests.unit.manifest.kubeadm import kubeadm_accepts, kubeadm_manifest
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION

EXAMPLES = 25
"""Each starts kubeadm six times."""

V1BETA3, V1BETA4, V1 = kubeadm_config.VERSIONS
QUOTES = st.sampled_from(['"', "'"])
COMMENTS = st.sampled_from(["", "  # by hand", "  # audit-log-path: /no"])
FLAGS = {
    "oidc-client-id": "kubernetes",
    "oidc-issuer-url": "https://issuer.example.com",
    "profiling": "false",
    "audit-log-maxage": "7",
    "audit-log-path": "/var/log/kubernetes/audit/audit.log",
    "audit-log-mode": "batch",
}
VOLUME = """\
  extraVolumes:
  - hostPath: /etc/oidc
    mountPath: /etc/oidc   # the issuer's certificate
    name: oidc
    readOnly: true
"""
OTHERS = (
    "certificatesDir: /etc/kubernetes/pki\n",
    "clusterName: kubernetes\n",
    "# the load balancer\ncontrolPlaneEndpoint: 10.0.20.99:6443\n",
    "networking:\n  dnsDomain: cluster.local\n  serviceSubnet: 10.96.0.0/12\n",
    "scheduler: {}\n",
)


@st.composite
def api_servers(draw: st.DrawFn, version: str) -> str:
    """The apiServer part, as kubeadm or a person writes it."""
    names = draw(st.lists(st.sampled_from(sorted(FLAGS)), unique=True))
    parts = [draw(st.sampled_from(["", "  certSANs: [10.0.0.1, cp.example.com]\n", "  certSANs:\n  - 10.0.0.1\n"]))]
    if names:
        entries = [_entry(version, name, draw(QUOTES), draw(COMMENTS)) for name in names]
        parts.append("  extraArgs:\n" + "".join(entries))
    parts.append(draw(st.sampled_from(["", VOLUME])))
    body = "".join(draw(st.permutations(parts)))
    return f"apiServer:\n{body}" if body else draw(st.sampled_from(["", "apiServer: {}\n"]))


def _entry(version: str, name: str, quote: str, comment: str) -> str:
    value = f"{quote}{FLAGS[name]}{quote}"
    if version == V1BETA3:
        return f"    {name}: {value}{comment}\n"
    return f"  - name: {name}{comment}\n    value: {value}\n"


@st.composite
def cluster_configurations(draw: st.DrawFn) -> str:
    version = draw(st.sampled_from([V1BETA3, V1BETA4]))
    fixed = [f"apiVersion: {version}\n", "kind: ClusterConfiguration\n", "kubernetesVersion: v1.36.3\n"]
    others = draw(st.lists(st.sampled_from(OTHERS), unique=True))
    text = "".join(draw(st.permutations([*fixed, *others, draw(api_servers(version))])))
    return text if draw(st.booleans()) else text.removesuffix("\n")


@given(before=cluster_configurations(), log=st.builds(LogSettings, max_age=st.integers(0, 400)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_kubeadm_writes_the_edited_manifest_from_the_edited_configuration(before: str, log: LogSettings) -> None:
    configuration = audit_configuration(PolicySettings(), log)
    after = kubeadm_config.edit(before, configuration)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kubeadm_accepts(before, folder)
        kubeadm_accepts(after, folder)
        edited = manifest_edit.edit(kubeadm_manifest(before, folder), configuration, None)
        written = kubeadm_manifest(after, folder)
        assert sorted(manifest.arguments(written)) == sorted(manifest.arguments(edited))
        assert _mounts(written) == _mounts(edited)
        reverted = kubeadm_config.revert(after, before, owned_by(configuration, kubeadm_config.present(before)))
        assert kubeadm_manifest(reverted, folder) == kubeadm_manifest(before, folder)


def test_kubeadm_takes_an_edited_text_of_its_experimental_version(tmp_path: Path) -> None:
    merged = "  extraArgs:\n  - name: authorization-mode\n    value: ',Webhook'\n    mergeMethod: append\n"
    before = CLUSTER_CONFIGURATION.replace(V1BETA4, V1).replace("  extraArgs:\n", merged)
    after = kubeadm_config.edit(before, audit_configuration(PolicySettings(), LogSettings()))
    kubeadm_accepts(after, tmp_path)
    assert merged in after


def _mounts(text: str) -> dict[str, Any]:
    """What the pod mounts by the names of its volumes: the volume and its place in the container, read-only or not."""
    specification = yaml_edit.load(text)["spec"]
    places = {each["name"]: each for each in specification["containers"][0]["volumeMounts"]}
    return {volume["name"]: (volume["hostPath"], places[volume["name"]]) for volume in specification["volumes"]}
