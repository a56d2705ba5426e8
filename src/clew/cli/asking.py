"""Asking a person for a line. The event loop waits meanwhile; Ctrl-C ends the question and not in a traceback."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

with suppress(ImportError):  # not on Windows, whose console edits lines by itself
    import readline  # noqa: F401 - input() edits lines with it


def ask(prompt: str) -> str | None:
    """Return what the person writes, without the space around it; None at the end of the input (Ctrl-D).

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    # asyncio's own handler only cancels a task, and would leave us waiting here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(prompt).strip()
    except EOFError:
        print()
        return None
    except UnicodeDecodeError:
        sys.stderr.write("that line is not valid text: write it again\n")
        return ""
    finally:
        signal.signal(signal.SIGINT, before)
