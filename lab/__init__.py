"""A disposable, real kubeadm control plane on one Linux machine. Never imported by the product."""
