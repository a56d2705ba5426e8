"""Files in a folder, shared by all processes that open it: each a plain file under its own name, replaced by renaming.

Written with the standard library: what is acknowledged is on the disk, preconditions hold among processes, and what a killed
writer left is removed by the next one that opens the folder. In it, `.clew` holds the lock and what is not finished.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Final

from ..errors import AlreadyExistsError, ClosedError, ConflictError, InvalidError, NotFoundError
from ..ids import new_id
from .contract import Files, Opened, Stored
from .drafts import Draft, remove_dead
from .faults import fault_of
from .keys import read_path
from .locking import hold
from .streams import gather
from .tree import name_of, walk
from .waiting import T, run_thread

CHUNK: Final = 256 * 1024
"""Bytes that are read at a time."""
_GATHERED: Final = 1024 * 1024
# What a stranger put there is no file: no link is followed, and no pipe waited for.
_READ: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
_TICK_NS: Final = 1_000
"""What every file system of today tells apart."""


class Folder(Files):
    """A file store in a folder. Made by `open_folder`."""

    def __init__(self, root: Path, *, folded: bool) -> None:
        super().__init__(f"the folder {root}")
        self._root = str(root)
        self._unfinished = os.path.join(self._root, ".clew", "unfinished")
        self._lock = os.path.join(self._root, ".clew", "lock")
        self._folded = folded

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        draft = Draft(os.path.join(self._unfinished, new_id()))
        try:
            await self._run(lambda: self._begin(draft))
            async with aclosing(gather(chunks, _GATHERED)) as pieces:
                async for piece in pieces:
                    await self._run(partial(draft.write, piece))
            return await self._run(lambda: self._finish(draft, path, if_match, create))
        finally:
            # Not in a thread: a caller that is cancelled again must not leave it behind. Both calls are short.
            draft.discard()

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        # An object of Python's, which lets go of its file where nobody closes it.
        opened = await self._run(lambda: self._open(path), FileIO.close)
        stored = _stored(path, os.fstat(opened.fileno()))
        stop = stored.size if length is None else min(stored.size, start + length)

        async def close() -> None:
            opened.close()

        if start >= stop and not (start == 0 and length is None):
            await close()
            raise InvalidError(f"the file has {stored.size:,} bytes: a part of it cannot start at {start:,}")

        async def read() -> AsyncGenerator[bytes, None]:
            at = start
            while at < stop:
                if opened.closed:
                    raise ClosedError("this reading was closed")
                chunk = await self._run(partial(_read, opened.fileno(), min(CHUNK, stop - at), at))
                if not chunk:
                    raise fault_of(OSError(None, "the file became shorter while it was read"), self.name)
                at += len(chunk)
                yield chunk

        return Opened(stored, start, stop, read(), close)

    async def _head(self, path: str) -> Stored:
        return await self._run(lambda: self._stat(path))

    async def _list(self, below: str, after: str | None, most: int) -> list[Stored]:
        return await self._run(lambda: self._collect(below, after or "", most))

    async def _delete(self, path: str, if_match: str | None) -> bool:
        return await self._run(lambda: self._unlink(path, if_match))

    async def _delete_some(self, paths: Sequence[str]) -> int:
        return await self._run(lambda: sum([self._unlink(path) for path in paths]))

    # -- in a thread ----------------------------------------------------------------------------------------------------

    async def _run(self, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
        try:
            return await run_thread(work, undo)
        except OSError as e:
            raise fault_of(e, self.name) from e

    def _begin(self, draft: Draft) -> None:
        with hold(self._lock):
            draft.open()

    def _finish(self, draft: Draft, path: str, if_match: str | None, create: bool) -> Stored:
        place = self._place(path)
        draft.sync()
        with hold(self._lock):
            found = self._find(path)
            if create and found is not None:
                raise AlreadyExistsError(f"there is a file {_shown(path)} already", actual=found.etag)
            if if_match is not None and (found is None or found.etag != if_match):
                raise _changed(path, if_match, None if found is None else found.etag)
            made = self._make_folders(path, place)
            # Times of the versions of one file only grow: so no two have one ETag, whatever the clock does.
            now = time.time_ns()
            if found is not None:
                now = max(now, os.stat(place).st_mtime_ns + _TICK_NS)
            os.utime(draft.name, ns=(now, now))
            draft.close()
            try:
                os.replace(draft.name, place)
            except IsADirectoryError as e:
                raise _no_room(path) from e
            stored = self._stat(path)
        for folder in made:
            _sync_folder(folder)
        return stored

    def _make_folders(self, path: str, place: str) -> list[str]:
        """Make the folders above `place`, and return those whose entries changed, or will."""
        folder, changed = os.path.dirname(place), [os.path.dirname(place)]
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
            changed.append(folder)
        try:
            os.makedirs(changed[0], mode=0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as e:
            raise _no_room(path) from e
        return changed

    def _unlink(self, path: str, if_match: str | None = None) -> bool:
        place = self._place(path)
        with hold(self._lock):
            found = self._find(path)
            if found is None:
                return False
            if if_match not in (None, found.etag):
                raise _changed(path, if_match, found.etag)
            os.unlink(place)
            folder = os.path.dirname(place)
            while folder != self._root:
                try:
                    os.rmdir(folder)
                except OSError:
                    break  # it is not empty
                folder = os.path.dirname(folder)
            _sync_folder(folder)
        return True

    def _open(self, path: str) -> FileIO:
        try:
            descriptor = os.open(self._place(path), _READ)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as e:
            self._check_there()
            raise _not_found(path) from e
        except OSError as e:
            if e.errno == errno.ELOOP:
                raise _not_found(path) from e  # it is a link
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _not_found(path)
        return FileIO(descriptor)

    def _stat(self, path: str) -> Stored:
        found = self._find(path)
        if found is None:
            self._check_there()
            raise _not_found(path)
        return found

    def _find(self, path: str) -> Stored | None:
        try:
            found = os.stat(self._place(path), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _stored(path, found) if stat.S_ISREG(found.st_mode) else None

    def _collect(self, below: str, after: str, most: int) -> list[Stored]:
        found: list[Stored] = []
        for path in walk(self._root, below, after, folded=self._folded):
            stored = self._find(path) if read_path(path) is not None else None
            if stored is not None:
                found.append(stored)
                if len(found) == most:
                    return found
        self._check_there()
        return found

    def _check_there(self) -> None:
        """Raise the error of a folder that is away, as a share that is not mounted now: nothing in it is gone."""
        os.stat(self._unfinished)

    def _place(self, path: str) -> str:
        return os.path.join(self._root, *(name_of(part, folded=self._folded) for part in path.split("/")))


async def open_folder(path: Path, *, parents: bool = False) -> Folder:
    """Open a folder as a file store; it is made where only its last part is missing.

    Args:
        path: the folder.
        parents: make those above it too, readable by this user alone.

    Raises:
        InvalidError: the folder above it is missing, or it is no folder.
        DeniedError, FullError, UnavailableError: it cannot be used.
    """
    try:
        return await run_thread(lambda: _open_folder(path, parents))
    except (FileNotFoundError, NotADirectoryError) as e:
        raise InvalidError(f"there is no folder {path.parent}: make it, or choose another place for files") from e
    except FileExistsError as e:
        raise InvalidError(f"{path} is no folder: choose another place for files") from e
    except OSError as e:
        raise fault_of(e, f"the folder {path}") from e


def _open_folder(path: Path, parents: bool) -> Folder:
    if parents:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path / ".clew" / "unfinished"
    for folder in (path, unfinished.parent, unfinished):
        folder.mkdir(mode=0o700, exist_ok=True)
    with hold(str(path / ".clew" / "lock")):
        remove_dead(unfinished)
    return Folder(path, folded=(path / ".CLEW").exists())


def _read(descriptor: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, size)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there, and needs it not
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(path: str, found: os.stat_result) -> Stored:
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'
    return Stored(path, found.st_size, etag, datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC))


def _shown(path: str) -> str:
    return repr(path if len(path) <= 100 else path[:100] + "...")


def _not_found(path: str) -> NotFoundError:
    return NotFoundError(f"there is no file {_shown(path)}")


def _changed(path: str, expected: str | None, actual: str | None) -> ConflictError:
    return ConflictError(f"the file {_shown(path)} is another version by now", expected=expected, actual=actual)


def _no_room(path: str) -> ConflictError:
    return ConflictError(
        f"{_shown(path)} would be a file and a folder at once: a folder on disk cannot hold both; choose another name"
    )
