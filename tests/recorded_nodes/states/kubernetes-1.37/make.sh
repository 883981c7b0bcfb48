# A control plane as kubeadm left it, of a minor version that the released version does not know.
