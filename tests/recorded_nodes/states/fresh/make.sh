# A control plane as kubeadm left it.
