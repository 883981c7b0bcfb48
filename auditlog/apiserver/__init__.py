"""What a kubeadm node holds of audit logging, what it should hold, and the way from one to the other."""
