"""Files where there are no keys: one that is encrypted is told from any other, and not handed out as if it were what was put."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import InvalidError, UnreadableError
from ..frames import SEALED_FILE, explain
from .around import Around
from .contract import Opened, Stored
from .peeking import chain, let_go, naming, read_beginning


class Unsealed(Around):
    """A file store around another one. Made by `connect_files`, where there are no keys.

    What is read from its beginning is looked at. A part from further in comes as it is stored, since a look costs a request.
    """

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        async with aclosing(chunks):
            beginning = await read_beginning(chunks, len(SEALED_FILE))
            if beginning.startswith(SEALED_FILE):
                raise InvalidError(
                    "these bytes begin as a file that clew has encrypted, and could not be read again: set CLEW_ENCRYPTION_KEYS"
                )
            async with aclosing(chain(beginning, chunks)) as stream:
                return await self.inner._put(path, stream, if_match, create)

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        opened = await self.inner._get(path, start, length)
        if start > 0:
            return opened
        try:
            beginning = await read_beginning(opened.chunks, len(SEALED_FILE))
            if beginning.startswith(SEALED_FILE):
                with naming(path):
                    raise UnreadableError(explain(beginning) or "")
        except BaseException:
            await let_go(opened)
            raise

        async def close() -> None:
            await let_go(opened)

        return opened._replace(chunks=chain(beginning, opened.chunks), close=close)
