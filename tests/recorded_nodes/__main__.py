"""``python -m tests.recorded_nodes [STATE ...]`` records the states anew, all of them by default. Requires root."""

from __future__ import annotations

import sys

from tests.recorded_nodes.record import record
from tests.recorded_nodes.states import recorded_states

if __name__ == "__main__":
    known = {state.name: state for state in recorded_states()}
    unknown = set(sys.argv[1:]) - known.keys()
    if unknown:
        sys.exit(f"no state is called {', '.join(sorted(unknown))}; allowed: {', '.join(known)}")
    record([known[name] for name in sys.argv[1:] or known])
