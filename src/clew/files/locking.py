"""Locks on open files, which the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "win32":
    import msvcrt
    import time

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

    def _lock(descriptor: int) -> None:
        while not try_lock(descriptor):
            time.sleep(0.005)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file, unless another has locked it; tell whether it is locked now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def hold(path: str) -> Iterator[None]:
    """Hold the lock on the file of this path, which is made where it is missing: one holder among all processes and threads."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)
