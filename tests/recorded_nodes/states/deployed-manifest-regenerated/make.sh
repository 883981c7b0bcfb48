# The released version has turned audit logging on; `kubeadm upgrade` then wrote the manifest anew, from kubeadm-config.
sed -i -e '/kubernetes-audit.policy-sha256/d' /etc/kubernetes/manifests/kube-apiserver.yaml
