"""The setting by which a stack file shares settings with others (``auditlog.stack_file.fleet`` reads them)."""

from __future__ import annotations

import re

from auditlog.settings.hosts import NAME
from auditlog.settings.kinds_of_many import Texts
from auditlog.settings.setting import optional

DEFAULTS = "defaults"
"""The shared file that comes before every group."""


def is_group(name: str) -> bool:
    """Whether a group of stacks may have this name, which is a file's name."""
    return name != DEFAULTS and re.fullmatch(NAME, name) is not None


FLEET = optional(
    "fleet",
    Texts("a list of groups, each a name of lower-case letters, digits, '-' and '.' but 'defaults'", is_group),
    "Settings shared with other stacks: those of `fleet/defaults.yaml`, then those of each group's `fleet/GROUP.yaml`. "
    "The stack file's own come last. For stack files only.",
    otherwise="nothing is shared",
)
STACK_FILE_ONLY = (FLEET,)
"""Settings of a stack file that are used up before the program reads what it makes of them."""
