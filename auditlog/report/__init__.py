"""One page about a log: what happened, who did it, what is worth an alert, and what is not recorded."""
