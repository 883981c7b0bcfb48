"""Whether events arrive: a request is made on each node, and its event looked for in the node's log and in Loki.

``tasks`` decides what is done on which node, ``node_answer`` and ``event`` say what was found, ``verdict`` what that
means, all of them pure; ``prove`` does it, with what the ledger asks nodes and Loki by.
"""
