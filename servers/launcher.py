"""Become another program that the kernel kills when the process that started it ends, however it ends.

Run as `python launcher.py PARENT_PID PROGRAM ARGUMENT...`. A `preexec_fn` would do it without this file, but is unsafe in a
process with threads, and warns there.
"""

from __future__ import annotations

import os
import sys


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (on Linux), or end now where that happened already."""
    if sys.platform == "linux":
        import ctypes
        import signal

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
