"""A Pulumi program that does nothing."""

import pulumi  # noqa: F401
