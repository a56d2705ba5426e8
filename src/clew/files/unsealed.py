"""Files where there are no keys: one that is encrypted is told from any other, and not handed out as if it were what was put."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import InvalidError, UnavailableError, UnreadableError
from ..frames import SEALED_FILE, explain
from .around import Around
from .beginnings import TRIES, Beginnings
from .contract import Files, Opened, Stored
from .peeking import chain, let_go, read_beginning


class Unsealed(Around):
    """A file store around another one. Made by `connect_files`, where there are no keys."""

    def __init__(self, inner: Files) -> None:
        super().__init__(inner)
        self._beginnings = Beginnings(inner)

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        async with aclosing(chunks):
            beginning = await read_beginning(chunks, len(SEALED_FILE))
            if beginning.startswith(SEALED_FILE):
                raise InvalidError(
                    "these bytes begin as a file that clew has encrypted, and could not be read again: set CLEW_ENCRYPTION_KEYS"
                )
            async with aclosing(chain(beginning, chunks)) as stream:
                stored = await self.inner._put(path, stream, if_match, create)
        self._beginnings.note(stored, None)
        return stored

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        if start > 0 or (length is not None and length < len(SEALED_FILE)):
            return await self._get_part(path, start, length)
        opened = await self.inner._get(path, start, length)
        try:
            beginning = await read_beginning(opened.chunks, len(SEALED_FILE))
            if beginning.startswith(SEALED_FILE):
                raise _refuse(path, beginning)
        except BaseException:
            await let_go(opened)
            raise
        self._beginnings.note(opened.stored, None)

        async def close() -> None:
            await let_go(opened)

        return opened._replace(chunks=chain(beginning, opened.chunks), close=close)

    async def _get_part(self, path: str, start: int, length: int | None) -> Opened:
        """Return a part that does not show how the file begins, once it is known how that version begins."""
        for _ in range(TRIES):
            opened = await self.inner._get(path, start, length)
            try:
                etag, header = self._beginnings.get(path) or ("", None)
                if etag != opened.stored.etag:
                    stored, header = await self._beginnings.look(path)
                    etag = stored.etag
                if header is not None:
                    raise _refuse(path, header)
            except BaseException:
                await let_go(opened)
                raise
            if etag == opened.stored.etag:
                return opened
            await let_go(opened)
        raise UnavailableError(f"the file {path!r} changes faster than it can be looked at: try again")


def _refuse(path: str, beginning: bytes) -> UnreadableError:
    return UnreadableError(f"the file {path!r} cannot be read: {explain(beginning)}")
