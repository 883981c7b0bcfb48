# The released version has turned audit logging on; somebody then wrote kubeadm-config back as it was before.
k="kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system"
$k create configmap kubeadm-config --dry-run=client -o json \
    --from-file=ClusterConfiguration=/etc/kubernetes/audit-logging/before/cluster-configuration.yaml | $k replace -f -
