"""The `clew` command. Without its extra it says what to install; nothing else of clew imports it."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        import dotenv  # noqa: F401 - a part of the extra, and not imported elsewhere before it is needed

        from .app import app
        from .running import start
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("clew"):
            raise
        sys.stderr.write("clew: the clew command needs an extra that is not installed: pip install 'clew[cli]'\n")
        sys.exit(6)
    sys.exit(start(app, sys.argv[1:]))
