"""The stack's Pulumi components. The only place where resources are made."""
