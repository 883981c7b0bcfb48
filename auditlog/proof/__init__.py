"""Proves that events arrive: it makes a request on each node, and looks for its event in the node's log and in Loki.

- ``tasks`` decides what is done on which node.
- ``node_answer`` and ``event`` say what was found.
- ``verdict`` says what that means.
- ``prove`` does it. It asks nodes and Loki with the ledger's readers.

All except ``prove`` are pure.
"""
