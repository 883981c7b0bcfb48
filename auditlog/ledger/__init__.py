"""The ledger: do the nodes' files and Loki hold the same multiset of (auditID, stage)?

- These decide and are pure: ``minutes``, ``checksum``, ``sums``, ``marks``, ``files``, ``counter``, ``chain``,
  ``judge`` and ``report``.
- These read and write: ``session``, ``node_reader``, ``loki_reader``, ``loki_route`` and ``chain_file``.

No line of a log leaves its node. The proof of ``up`` (``auditlog.proof``) answers the same question for one event.
"""
