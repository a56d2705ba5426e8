"""Files that are being written, apart from where they will stand. Who writes one holds its lock; without it, they are dead."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .locking import try_lock


class Draft:
    """One file that is being written. Opened, and renamed, under the folder's lock only."""

    def __init__(self, name: str) -> None:
        """Name it; `open` makes it."""
        self.name = name
        self._descriptor = -1

    def open(self) -> None:
        """Make the file, and lock it."""
        self._descriptor = os.open(self.name, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try_lock(self._descriptor)

    def write(self, data: bytes) -> None:
        """Append all of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def sync(self) -> None:
        """Bring to the disk what was written."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it, and let go of its lock. A second close does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def discard(self) -> None:
        """Close it, and remove it where it was not renamed."""
        self.close()
        # It was renamed or never made; or the disk refuses, and whoever opens the folder next removes it.
        with contextlib.suppress(OSError):
            os.unlink(self.name)


def remove_dead(folder: Path) -> None:
    """Remove the drafts in this folder whose writers are dead. The caller holds the folder's lock."""
    for left in folder.iterdir():
        # A living writer may give its draft up at any moment, without the lock.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(left, os.O_RDWR)
            try:
                dead = try_lock(descriptor)
            finally:
                os.close(descriptor)
            if dead:
                left.unlink()
