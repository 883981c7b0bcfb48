"""Which requests another policy decides differently, in sentences.

`auditlog.policy.difference` has every exact region. Here callers are those that can exist, requests with the same
change are put together, and few sentences say what is recorded less and what more. Each sentence is exact: of every
request that it names it says the level, and every request whose level changes is named or counted in one.
"""

from auditlog.policy.summary.sentences import Direction, Sentence, Summary, summarize
from auditlog.policy.summary.text import to_json, to_lines

__all__ = ["Direction", "Sentence", "Summary", "summarize", "to_json", "to_lines"]
