# A copy of the manifest lies beside it, which kubelet would run in its place.
sed 's/^  name: kube-apiserver$/&/' /etc/kubernetes/manifests/kube-apiserver.yaml >/etc/kubernetes/manifests/kube-apiserver.yaml.bak
