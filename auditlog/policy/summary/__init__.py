"""Which requests another policy decides differently, in sentences.

`auditlog.policy.difference` has every exact region. Here callers are those that can exist, and requests with the same
change are together. Few sentences say what is recorded less and what more. Each sentence is exact: it gives the level
of every request that it names. A sentence names or counts every request whose level changes.
"""

from auditlog.policy.summary.sentences import Direction, Sentence, Summary, summarize
from auditlog.policy.summary.text import to_json, to_lines

__all__ = ["Direction", "Sentence", "Summary", "summarize", "to_json", "to_lines"]
