"""How long a preview without changes takes on three nodes that are 20 ms away, beside what else people use."""
