"""The command `auditlog`, and `python -m auditlog`.

Nothing but the standard library is imported before `main` runs: a missing package or an old Python gets a message.
"""

from __future__ import annotations

import sys

WRONG_ENVIRONMENT = 2
_INSTALL = "install it with 'pipx install .' or 'pip install .' in a clone of the repository"


def main() -> int:
    """Runs one command and returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - `python3 -m auditlog` meets the Python that the system has
        found = ".".join(map(str, sys.version_info[:2]))
        print(f"auditlog: Python 3.11 or newer is required; this is {found}", file=sys.stderr)
        return WRONG_ENVIRONMENT
    try:
        from auditlog.cli import main as run

        return run()
    except ModuleNotFoundError as error:
        if (error.name or "auditlog").partition(".")[0] == "auditlog":
            raise
        print(
            f"auditlog: the Python module '{error.name}' is missing; {_INSTALL}, "
            "or run 'make setup' there and use .venv/bin/python",
            file=sys.stderr,
        )
        return WRONG_ENVIRONMENT


if __name__ == "__main__":
    sys.exit(main())
