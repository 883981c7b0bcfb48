# Audit logging was turned on by hand, with other paths and sizes, and kubeadm-config does not know of it.
mkdir -p /etc/kubernetes/audit /var/log/apiserver
printf '%s\n' 'apiVersion: audit.k8s.io/v1' 'kind: Policy' 'rules:' '- level: Metadata' >/etc/kubernetes/audit/policy.yaml
sed -i -e 's#^    - --authorization-mode=.*#    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml\n    - --audit-log-path=/var/log/apiserver/audit.log\n    - --audit-log-maxsize=50\n&#' \
    -e 's#^    volumeMounts:$#&\n    - mountPath: /etc/kubernetes/audit\n      name: policy-by-hand\n      readOnly: true\n    - mountPath: /var/log/apiserver\n      name: log-by-hand#' \
    -e 's#^  volumes:$#&\n  - hostPath:\n      path: /etc/kubernetes/audit\n      type: Directory\n    name: policy-by-hand\n  - hostPath:\n      path: /var/log/apiserver\n      type: DirectoryOrCreate\n    name: log-by-hand#' \
    /etc/kubernetes/manifests/kube-apiserver.yaml
