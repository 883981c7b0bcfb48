"""The static-pod manifest and kubeadm-config: what they say of audit logging, and edits that change nothing else."""
