"""The static-pod manifest and kubeadm-config: what they say about audit logging, and edits that change nothing else."""
