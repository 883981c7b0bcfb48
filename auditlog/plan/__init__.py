"""What is to change on every node and in the cluster, in which order, and why. Pure."""
