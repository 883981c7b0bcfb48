"""The ledger: is what the nodes' files hold and what Loki holds the same multiset of (auditID, stage)?

``minutes``, ``checksum``, ``sums``, ``marks``, ``files``, ``counter``, ``chain``, ``judge`` and ``report`` decide and
are pure; ``session``, ``node_reader``, ``loki_reader``, ``loki_route`` and ``chain_file`` read and write. No line of a
log leaves its node. The proof of ``up`` (``auditlog.proof``) asks the same about one event.
"""
