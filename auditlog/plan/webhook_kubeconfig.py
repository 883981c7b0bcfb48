"""The kubeconfig by which the API server reaches the webhook (k8s.io/apiserver pkg/util/webhook LoadKubeconfig)."""

from __future__ import annotations

import base64

import yaml

from auditlog.settings import WebhookSettings

_CLUSTER, _USER = "audit-webhook", "kube-apiserver"


def webhook_kubeconfig(webhook: WebhookSettings) -> str:
    """The file's text. It holds the credentials: it goes to nobody but the node."""
    cluster = {"server": webhook.server}
    if webhook.certificate_authority is not None:
        cluster["certificate-authority-data"] = _data(webhook.certificate_authority)
    user: dict[str, str] = {}
    if webhook.token is not None:
        user["token"] = webhook.token
    if webhook.client_certificate is not None and webhook.client_key is not None:
        user["client-certificate-data"] = _data(webhook.client_certificate)
        user["client-key-data"] = _data(webhook.client_key)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _CLUSTER, "cluster": cluster}],
        "users": [{"name": _USER, "user": user}],
        "contexts": [{"name": _CLUSTER, "context": {"cluster": _CLUSTER, "user": _USER}}],
        "current-context": _CLUSTER,
    }
    return yaml.safe_dump(document, sort_keys=False, width=1_000_000)


def _data(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
