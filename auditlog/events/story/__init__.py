"""What happened, in order: the timeline of an object or a caller, and where a credential came from."""
