"""The example events that the documents of the product print, as lines of a log."""

from __future__ import annotations

LEASE_UPDATE_AS_PRINTED = (
    b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"3cb20ec3-e944-4059'
    b'-873c-078342b38fec","stage":"ResponseComplete","requestURI":"/apis/coordination.k8s.io/v1/names'
    b'paces/cluster-63a1ee9100663777ef2f75c8/leases/kubeadm-bootstrap-manager-leader-election-capi","'
    b'verb":"update","user":{"username":"system:serviceaccount:cluster-63a1ee9100663777ef2f75c8:palet'
    b'te-manager","uid":"e728f219-d5e8-4a44-92c4-5ddcf22ce476","groups":["system:serviceaccounts","sy'
    b'stem:serviceaccounts:cluster-63a1ee9100663777ef2f75c8","system:authenticated"],"extra":{"authen'
    b'tication.kubernetes.io/pod-name":["capi-kubeadm-bootstrap-controller-manager-688596bc4b-pxmmh"]'
    b',"authentication.kubernetes.io/pod-uid":["a0e9a0fd-0812-434e-a1a4-b8af9bb98a87"]}},"sourceIPs":'
    b'["192.168.161.18"],"userAgent":"manager/v0.0.0 (linux/amd64) kubernetes/$Format/leader-election'
    b'","objectRef":{"resource":"leases","namespace":"cluster-63a1ee9100663777ef2f75c8","name":"kubea'
    b'dm-bootstrap-manager-leader-election-capi","uid":"8e70db1f-a26c-4af5-a558-78e860ae9903","apiGro'
    b'up":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"13660827"},"responseStatus":{"me'
    b'tadata":{},"code":200},"requestReceivedTimestamp":"2023-01-18T20:35:29.755649Z","stageTimestamp'
    b'":"2023-01-18T20:35:29.760586Z","annotations":{"authorization.k8s.io/decision":"allow","authori'
    b'zation.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding "palette-manager-admin-rolebinding" '
    b'of ClusterRole "cluster-admin" to ServiceAccount "palette-manager/cluster-63a1ee9100663777ef2f7'
    b'5c8""}}'
)
"""Palette's guide: the quotes inside the last annotation are not escaped."""

LEASE_UPDATE_REPAIRED = (
    LEASE_UPDATE_AS_PRINTED.replace(b'"palette-manager-admin-rolebinding"', b'\\"palette-manager-admin-rolebinding\\"')
    .replace(b'"cluster-admin" to', b'\\"cluster-admin\\" to')
    .replace(
        b'"palette-manager/cluster-63a1ee9100663777ef2f75c8""',
        b'\\"palette-manager/cluster-63a1ee9100663777ef2f75c8\\""',
    )
)

DELETE_SECRET = (
    (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"16c4f91b-c657-4ea8'
        b'-acae-69873850d819","stage":"RequestReceived","requestURI":"/api/v1/namespaces/prod/secrets/som'
        b'e-secret","verb":"delete","user":{"username":"kubernetes-admin","groups":["kubeadm:cluster-admi'
        b'ns","system:authenticated"]},"sourceIPs":["192.168.63.171"],"userAgent":"kubectl/v1.31.0 (linux'
        b'/amd64) kubernetes/9edcffc","objectRef":{"resource":"secrets","namespace":"prod","name":"some-s'
        b'ecret","apiVersion":"v1"},"requestReceivedTimestamp":"2025-02-21T11:23:14.940487Z","stageTimest'
        b'amp":"2025-02-21T11:23:14.940487Z"}'
    ),
    (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"16c4f91b-c657-4ea8'
        b'-acae-69873850d819","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/secrets/so'
        b'me-secret","verb":"delete","user":{"username":"kubernetes-admin","groups":["kubeadm:cluster-adm'
        b'ins","system:authenticated"]},"sourceIPs":["192.168.63.171"],"userAgent":"kubectl/v1.31.0 (linu'
        b'x/amd64) kubernetes/9edcffc","objectRef":{"resource":"secrets","namespace":"prod","name":"some-'
        b'secret","apiVersion":"v1"},"responseStatus":{"metadata":{},"status":"Success","details":{"name"'
        b':"some-secret","kind":"secrets","uid":"b2368870-35a7-43e2-b2b1-c69eec9103a2"},"code":200},"requ'
        b'estReceivedTimestamp":"2025-02-21T11:23:14.940487Z","stageTimestamp":"2025-02-21T11:23:14.94365'
        b'4Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC:'
        b' allowed by ClusterRoleBinding \\"kubeadm:cluster-admins\\" of ClusterRole \\"cluster-admin\\" to G'
        b'roup \\"kubeadm:cluster-admins\\""}}'
    ),
)
"""The notes "Kubernetes audit logs": both stages of one request."""
