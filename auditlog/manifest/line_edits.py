"""A text from another one, as edits of lines that a node makes with sed."""

from __future__ import annotations

import difflib


def line_edits(source: str, target: str) -> str:
    """A sed script that turns ``source`` into ``target``; both end with a line break."""
    before, after = source.split("\n")[:-1], target.split("\n")[:-1]
    commands = []
    for tag, first, end, new_first, new_end in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        lines = "\\\n".join(line.replace("\\", "\\\\") for line in after[new_first:new_end])
        address = str(end) if end - first <= 1 else f"{first + 1},{end}"
        match tag:
            case "delete":
                commands.append(f"{address}d")
            case "replace":
                commands.append(f"{address}c\\\n{lines}")
            case "insert":
                commands.append(f"{first}a\\\n{lines}" if first else f"1i\\\n{lines}")
    return "\n".join(commands)
