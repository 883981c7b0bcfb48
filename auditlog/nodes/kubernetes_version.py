"""Which Kubernetes a node's API server is of."""

from __future__ import annotations

from auditlog.manifest import kubeadm_config, manifest
from auditlog.manifest.kubeadm_config import KubeadmConfigError
from auditlog.nodes.facts import Facts


def kubernetes_version(text: str, facts: Facts) -> str | None:
    """The version, as in "1.36.3": that of the image's tag in the manifest ``text``, else kubeadm-config's.

    An image that is named by its digest alone has no tag. None where neither tells. Raises ManifestError.
    """
    version = manifest.image_version(text)
    if version is not None or facts.kubeadm_config is None:
        return version
    try:
        return kubeadm_config.kubernetes_version(facts.kubeadm_config.text)
    except KubeadmConfigError:
        return None
