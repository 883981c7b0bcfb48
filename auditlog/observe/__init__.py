"""From the log to the person who asks."""
