"""Locks on open files, which the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_S: Final = 10.0
"""Seconds to wait for a lock, which others hold for some milliseconds."""
_SHORTEST_S: Final = 0.000_1
_LONGEST_S: Final = 0.01

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file, unless another has locked it; tell whether it is locked now."""
        try:
            # A byte that no file of ours reaches: a lock there keeps nobody from reading or writing.
            os.lseek(descriptor, 1 << 40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file, unless another has locked it; tell whether it is locked now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def hold(path: str) -> Iterator[None]:
    """Hold the lock on the file of this path, which is made where it is missing: one holder among all processes and threads.

    Raises:
        TimeoutError: another one holds it all the time, as a process that was stopped.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end, pause = time.monotonic() + PATIENCE_S, _SHORTEST_S
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise TimeoutError(errno.ETIMEDOUT, f"another process has held its lock for {PATIENCE_S:g} seconds")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_S)
        yield
    finally:
        os.close(descriptor)
