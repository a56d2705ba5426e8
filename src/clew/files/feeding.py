"""Pieces handed to an upload that runs beside whoever has them, so that it can be broken off in an orderly way at any moment.

An upload that is only cancelled leaves the parts it has sent; one whose pieces end in an error takes them back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Generic, TypeVar

T = TypeVar("T")


class BrokenOffError(Exception):
    """What ends the pieces of an upload that is broken off; nobody outside sees it."""


class Feed(Generic[T]):
    """The pieces of one upload, of which at most one waits, and the upload itself.

    Attributes:
        size: bytes that were handed over.
        failed: what the upload raised by itself.
    """

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | BrokenOffError | None] = asyncio.Queue(1)
        self._upload: asyncio.Future[T]
        self.size = 0
        self.failed: BaseException | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield what is added, for the upload to take."""
        while (piece := await self._waiting.get()) is not None:
            if isinstance(piece, BrokenOffError):
                raise piece
            yield piece

    def begin(self, upload: Awaitable[T]) -> None:
        """Let the upload run, which takes its pieces from here."""
        self._upload = asyncio.ensure_future(upload)

    async def add(self, piece: bytes) -> None:
        """Hand over a piece, when there is room for one; raise what the upload raises meanwhile."""
        await self._add(piece)
        self.size += len(piece)

    async def end(self) -> T:
        """Say that there are no more pieces, and return what the upload gives."""
        await self._add(None)
        await asyncio.wait({self._upload})
        self._check()
        return self._upload.result()

    async def break_off(self, seconds: float) -> None:
        """End the upload, which takes back what it has sent, in at most some seconds."""
        if not self._upload.done():
            while not self._waiting.empty():
                self._waiting.get_nowait()
            self._waiting.put_nowait(BrokenOffError("the upload is broken off"))
            await asyncio.wait({self._upload}, timeout=seconds)
        self._upload.cancel()
        await asyncio.gather(self._upload, return_exceptions=True)

    async def _add(self, piece: bytes | None) -> None:
        putting = asyncio.ensure_future(self._waiting.put(piece))
        either: set[asyncio.Future[None] | asyncio.Future[T]] = {putting, self._upload}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        self._check()

    def _check(self) -> None:
        if self._upload.done() and (error := self._upload.exception()) is not None:
            self.failed = error
            raise error
