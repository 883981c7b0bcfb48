"""A stack's audit logging in the form of an installer of clusters: policy, flags, mounts and annotations."""
