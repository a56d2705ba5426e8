"""Files that are encrypted on their way into any file store, each bound to its own key, and read in parts without the rest.

What was written before encryption was turned on is read as it is, unless that is refused. Sizes are those of the bytes that were
put: they follow from the stored size, once it is known whether a version is encrypted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from ..errors import InvalidError, NotFoundError, UnreadableError
from ..frames import SEALED_FILE
from ..wrappers.keyring import Keyring
from ..wrappers.sealing import PLAIN
from .around import Around
from .beginnings import TRIES, Beginnings
from .contract import Files, Opened, Stored
from .layout import HEADER, LEAST, SEGMENT, STORED, make_header, shape_of
from .peeking import chain, let_go, naming, read_beginning
from .segments import Cipher, open_stream, seal_stream

_AT_ONCE: Final = 16


class Sealed(Around):
    """A file store around another one. Made by `connect_files`, where there are keys.

    Attributes:
        keyring: the keys.
        takes_plain: whether what is not encrypted is read too.
    """

    def __init__(self, inner: Files, keyring: Keyring, *, takes_plain: bool = True) -> None:
        super().__init__(inner)
        self.keyring = keyring
        self.takes_plain = takes_plain
        self._beginnings = Beginnings(inner)

    @property
    def newest_key(self) -> str | None:
        """See Around.newest_key."""
        return self.keyring.newest.id

    def describe(self) -> str:
        """See Around.describe."""
        return self.keyring.describe(takes_plain=self.takes_plain)

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        header = make_header(self.keyring.newest.id)
        async with aclosing(seal_stream(chunks, header, Cipher(self.keyring, header, path))) as stream:
            stored = await self.inner._put(path, stream, if_match, create)
        self._beginnings.note(stored, header)
        return _with_size(stored)

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        until = None if length is None else (start + length - 1) // SEGMENT
        # What starts further in is not read from the beginning, once it is known how the file begins.
        for _ in range(TRIES if start >= SEGMENT else 0):
            etag, header = await self._begin(path)
            first = start // SEGMENT
            at, span = start, length
            if header is not None:
                at, span = HEADER + first * STORED, None if until is None else (until + 1 - first) * STORED
            try:
                opened = await self.inner._get(path, at, span)
            except InvalidError as e:
                await self._check_start(path, start, e)
                self._beginnings.forget(path)
                continue
            if opened.stored.etag == etag:
                with naming(path):
                    return await self._give(
                        opened, header, opened.chunks, start if header is None else first * SEGMENT, start, length
                    )
            await let_go(opened)
            self._beginnings.forget(path)
        try:
            opened = await self.inner._get(path, 0, None if until is None else HEADER + (until + 1) * STORED)
        except InvalidError as e:
            await self._check_start(path, start, e)
            raise
        try:
            beginning = await read_beginning(opened.chunks, HEADER)
        except BaseException:
            await let_go(opened)
            raise
        header = beginning[:HEADER] if beginning.startswith(SEALED_FILE) else None
        self._beginnings.note(opened.stored, header)
        rest = chain(beginning if header is None else beginning[HEADER:], opened.chunks)
        with naming(path):
            return await self._give(opened, header, rest, 0, start, length)

    async def _head(self, path: str) -> Stored:
        if self.takes_plain:
            return _told(*await self._beginnings.look(path))
        return _with_size(await self.inner._head(path))

    async def _list(self, below: str, after: str | None, most: int) -> Sequence[Stored]:
        found = await self.inner._list(below, after, most)
        if not self.takes_plain:
            return [_with_size(each) for each in found]
        told: list[Stored] = []
        for at in range(0, len(found), _AT_ONCE):
            some = await asyncio.gather(*[self._judge(each) for each in found[at : at + _AT_ONCE]], return_exceptions=True)
            for each in some:
                if isinstance(each, BaseException):
                    raise each
                told.append(each)
        return told

    # -- the bytes ------------------------------------------------------------------------------------------------------

    async def _give(
        self, opened: Opened, header: bytes | None, chunks: AsyncGenerator[bytes, None], base: int, start: int, length: int | None
    ) -> Opened:
        """Return what is read of an open file, whose chunks begin with the byte `base`; let go of it where that cannot be."""
        stored = _told(opened.stored, header)
        stop = stored.size if length is None else min(stored.size, start + length)

        async def close() -> None:
            await chunks.aclose()
            await let_go(opened)

        try:
            if header is None and not self.takes_plain:
                raise UnreadableError(PLAIN)
            if start >= stop and not (start == 0 and length is None):
                raise _beyond(stored, start)
            stream = chunks
            if header is not None:
                shape = shape_of(opened.stored.size)
                cipher = Cipher(self.keyring, header, stored.path)
                until = min(shape.last, max(0, stop - 1) // SEGMENT)
                stream = open_stream(chunks, cipher, shape, base // SEGMENT, until)
            # Now, so that a wrong key is told before anything is read.
            beginning = await anext(stream, b"")
        except BaseException:
            await close()
            raise
        return Opened(stored, start, stop, _cut(stored.path, beginning, stream, start - base, stop - start), close)

    async def _check_start(self, path: str, start: int, error: InvalidError) -> None:
        """Say of the file's own bytes, and not of the stored ones, that a part starts behind their end."""
        stored = await self._head(path)
        if start >= stored.size:
            raise _beyond(stored, start) from error

    async def _begin(self, path: str) -> tuple[str, bytes | None]:
        """Return the ETag and the header of some version, which may not be the newest."""
        known = self._beginnings.get(path)
        if known is not None:
            return known
        stored, header = await self._beginnings.look(path)
        return stored.etag, header

    async def _judge(self, stored: Stored) -> Stored:
        """Return a listed version with the size of its own bytes."""
        if stored.size < LEAST:
            return stored
        etag, header = self._beginnings.get(stored.path) or ("", None)
        if etag == stored.etag:
            return _told(stored, header)
        try:
            return _told(*await self._beginnings.look(stored.path))
        except NotFoundError:
            # It has gone meanwhile. Left out, it would end the page too early.
            return stored


def _with_size(stored: Stored) -> Stored:
    """Return an encrypted version with the size of the file's own bytes."""
    return stored._replace(size=shape_of(stored.size).size)


def _told(stored: Stored, header: bytes | None) -> Stored:
    """Return a version with the size of the file's own bytes."""
    return stored if header is None else _with_size(stored)


def _beyond(stored: Stored, start: int) -> InvalidError:
    return InvalidError(f"the file has {stored.size:,} bytes: a part of it cannot start at {start:,}")


async def _cut(
    path: str, beginning: bytes, stream: AsyncGenerator[bytes, None], skip: int, count: int
) -> AsyncGenerator[bytes, None]:
    """Yield `count` bytes of the stream that follow the first `skip`; its first piece was taken from it already."""
    piece = beginning
    with naming(path):
        async with aclosing(stream):
            while piece and count:
                part = piece[skip : skip + count]
                skip = max(0, skip - len(piece))
                count -= len(part)
                if part:
                    yield part
                if count:
                    piece = await anext(stream, b"")
