"""The `clew` command. Without its extra it says what to install; nothing else of clew imports it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("clew"):
            raise
        sys.stderr.write("clew: the clew command needs an extra that is not installed: pip install 'clew[cli]'\n")
        sys.exit(6)
    app()
