"""`python -m auditlog`."""

from __future__ import annotations

import sys

from auditlog.cli import main

if __name__ == "__main__":
    sys.exit(main())
