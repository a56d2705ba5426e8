"""What every file store promises: bytes under keys, written whole or not at all, with an ETag for each version.

A store of files knows no owner and no type: both are parts of the key, or kept elsewhere. One engine implements the hooks
at the end of `Files`; the checks before them are written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, NamedTuple, Self

from ..errors import ClosedError, InvalidError
from ..limits import check_limit
from ..model import Page
from .keys import Key, check_key, check_prefix, read_path
from .streams import limit_stream

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
"""Bytes of one file, where the call sets no other limit."""
MAX_ETAG: Final = 1_024
"""Characters of an ETag that a call may ask for."""
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One version of a file.

    Attributes:
        key: its name.
        size: in bytes.
        etag: the version's name, with its quotes, as HTTP writes it. Another content has another one; the same content written
            again has another one in a folder or where it is encrypted, and else the same in S3.
        modified: when this version was written, UTC, by the clock of the store (for a fresh `put` to S3, by ours).
    """

    key: Key
    size: int
    etag: str
    modified: datetime


class Stored(NamedTuple):
    """What an engine says of a version, before its path is turned into a key."""

    path: str
    size: int
    etag: str
    modified: datetime


class Opened(NamedTuple):
    """What an engine gives of an open file: the version, the part of it, its chunks, and what lets go of it."""

    stored: Stored
    start: int
    stop: int
    chunks: AsyncGenerator[bytes, None]
    close: Callable[[], Awaitable[None]]


class Reading:
    """A file that is being read: `async for chunk in reading`, or `await reading.read()`. Close it, or use `async with`.

    It stays the version that was opened, also when the file is replaced or deleted meanwhile.

    Attributes:
        info: the version.
        start, stop: which of its bytes come, from `start` to before `stop`.
    """

    def __init__(self, info: FileInfo, opened: Opened) -> None:
        self.info = info
        self.start = opened.start
        self.stop = opened.stop
        self._chunks = opened.chunks
        self._close = opened.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        finally:
            await self.aclose()

    async def read(self) -> bytes:
        """Return all of it, and close it."""
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        """Let go of the file. A second close does nothing."""
        await self._chunks.aclose()
        await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


class Files(ABC):
    """Bytes under keys. Made by `clew.files.connect_files`; safe to share by all tasks."""

    def __init__(self, name: str) -> None:
        """`name` is what an error calls this store; it holds no credentials."""
        self.name = name
        self._closed = False

    async def put(
        self,
        key: Key,
        data: bytes | AsyncIterable[bytes],
        *,
        if_match: str | None = None,
        create: bool = False,
        most: int = MAX_FILE_BYTES,
    ) -> FileInfo:
        """Write a file: all of it or nothing, also when this process is killed. What was there is replaced.

        Args:
            key: where.
            data: the bytes, or what yields them. With `if_match` or `create`, S3 needs all at once: more than 8 MiB wait on disk.
            if_match: the ETag that the file must have now, as `FileInfo.etag` gave it.
            create: only where there is no file yet.
            most: bytes that are allowed; a longer stream is cut off and nothing is written.

        Returns:
            The new version.

        Raises:
            ConflictError: `if_match` is not the file's ETag any more (`actual`, where it is known).
            AlreadyExistsError: `create`, and there is a file.
            InvalidError: a bad key or ETag, or more than `most` bytes.
            FullError, DeniedError, UnavailableError: the store cannot take it.
        """
        path = self._check(key)
        if if_match is not None:
            if create:
                raise InvalidError("create and if_match exclude each other: a file that is not there has no ETag")
            _check_etag(if_match)
        if most < 0:
            raise InvalidError("most must be a number of bytes from 0")
        return self._tell(await self._put(path, limit_stream(data, most), if_match, create))

    async def get(self, key: Key, *, start: int = 0, length: int | None = None) -> Reading:
        """Open a file, or a part of it.

        Args:
            key: which.
            start: the first byte, from 0.
            length: how many bytes at most, from 1; None for all that follow.

        Raises:
            NotFoundError: there is no such file.
            InvalidError: the part starts at or after the end of the file.
            DeniedError, UnavailableError: the store does not give it.
        """
        path = self._check(key)
        if start < 0 or (length is not None and length < 1):
            raise InvalidError("a part of a file starts at 0 or later, and has at least one byte")
        opened = await self._get(path, start, length)
        return Reading(self._tell(opened.stored), opened)

    async def head(self, key: Key) -> FileInfo:
        """Return what is known of a file.

        Raises:
            NotFoundError: there is no such file.
        """
        return self._tell(await self._head(self._check(key)))

    async def list(self, prefix: Key = (), *, limit: int = 100, cursor: str | None = None) -> Page[FileInfo]:
        """Return the files below a prefix, at any depth, in the order of their encoded keys.

        A file that is there throughout is on one page; one that comes or goes meanwhile may be on one or on none.

        Args:
            prefix: whole parts; `("a",)` has `("a", "b")` and not `("ab",)`, nor a file `("a",)` itself.
            limit: from 1 to `limits.MAX_PAGE`.
            cursor: a page's `cursor`, to go on after it.

        Raises:
            InvalidError: a cursor that no page of this prefix gave.
        """
        self._check_open()
        check_limit(limit)
        below = _below(check_prefix(prefix))
        if cursor is not None and (not cursor.startswith(below) or read_path(cursor) is None):
            raise InvalidError("this cursor is not from a page of these files: start again without one")
        found = await self._list(below, cursor, limit + 1)
        page = [self._tell(stored) for stored in found[:limit]]
        return Page(page, len(found) > limit, found[limit - 1].path if len(found) > limit else None)

    async def delete(self, key: Key, *, if_match: str | None = None) -> bool:
        """Delete a file; tell whether it was there. Who reads it goes on reading.

        Args:
            key: which.
            if_match: the ETag that it must have now, where it is there.

        Raises:
            ConflictError: `if_match` is not the file's ETag any more (`actual`, where it is known).
            UnsupportedError: `if_match`, and the bucket's server does not know deletes with a precondition.
        """
        path = self._check(key)
        if if_match is not None:
            _check_etag(if_match)
        return await self._delete(path, if_match)

    async def delete_all(self, prefix: Key) -> int:
        """Delete the files below a prefix of at least one part; return how many. One that is written meanwhile may stay."""
        self._check_open()
        below, count = _below(check_key(prefix)), 0
        while True:
            found = await self._list(below, None, _AT_ONCE)
            count += await self._delete_some([stored.path for stored in found])
            if len(found) < _AT_ONCE:
                return count

    async def aclose(self) -> None:
        """Close it. Later calls raise ClosedError; a second close does nothing."""
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def _check(self, key: Key) -> str:
        self._check_open()
        return check_key(key)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.name} was closed: connect again")

    def _tell(self, stored: Stored) -> FileInfo:
        key = read_path(stored.path)
        assert key is not None, "engines leave out what no key leads to"
        return FileInfo(key, stored.size, stored.etag, stored.modified)

    # -- for the engines: paths are encoded keys ------------------------------------------------------------------------

    @abstractmethod
    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored: ...

    @abstractmethod
    async def _get(self, path: str, start: int, length: int | None) -> Opened: ...

    @abstractmethod
    async def _head(self, path: str) -> Stored: ...

    @abstractmethod
    async def _list(self, below: str, after: str | None, most: int) -> Sequence[Stored]:
        """Return at most `most` in order, whose path starts with `below` ("" or ending in a slash) and follows `after`."""

    @abstractmethod
    async def _delete(self, path: str, if_match: str | None) -> bool: ...

    @abstractmethod
    async def _delete_some(self, paths: Sequence[str]) -> int: ...


def _below(path: str) -> str:
    return path + "/" if path else ""


def _check_etag(etag: str) -> None:
    if not isinstance(etag, str) or not 0 < len(etag) <= MAX_ETAG or not etag.isascii() or not etag.isprintable():
        raise InvalidError("if_match must be an ETag as FileInfo.etag gave it")
