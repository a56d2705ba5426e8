"""Responses that are read while they are sent, and that their reader may leave at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..files import Reading

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class Flow(Response):
    """Sends what a generator yields, and closes it when the reader has left or all is sent.

    Starlette's own streaming response cancels a scope, and then every await of the clean-up fails; this one cancels a task.
    """

    def __init__(self, chunks: AsyncGenerator[bytes], headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(status_code=status, headers=headers)
        if "content-length" not in headers:
            # Its base class would say that nothing comes.
            del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_wait_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._chunks.aclose()
        if not sending.cancelled() and sending.exception() is not None and not isinstance(sending.exception(), OSError):
            raise sending.exception() or RuntimeError

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class FileFlow(Flow):
    """A file, or a part of it, which is closed in any case."""

    def __init__(self, reading: Reading, headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(_chunks_of(reading), {**headers, "content-length": str(reading.stop - reading.start)}, status)
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._reading:
            await super().__call__(scope, receive, send)


class Tail(Flow):
    """The events of an answer, which goes on when its reader has left."""

    def __init__(self, chunks: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(chunks, {**HEADERS, **(headers or {})})


async def _chunks_of(reading: Reading) -> AsyncGenerator[bytes]:
    async for chunk in reading:
        yield chunk


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
