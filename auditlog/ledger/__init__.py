"""The ledger: is what the nodes' files hold and what Loki holds the same multiset of (auditID, stage)?

``minutes``, ``checksum``, ``sums``, ``marks``, ``files``, ``counter``, ``chain``, ``judge`` and ``report`` decide and
are pure; ``node_reader``, ``loki_reader`` and ``chain_file`` read and write. No line of a log leaves its node.
"""
