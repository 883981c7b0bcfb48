"""What is true of audit logging on nodes that nobody has described yet."""
