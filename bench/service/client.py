"""A client of HTTP/1.1 that costs next to nothing: one connection, one request at a time, its bytes made beforehand.

It takes answers that have a content-length, and the status 201, and raises at any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager


class HttpLink(asyncio.Protocol):
    """A connection, opened by the first request, and again where the server closed it: it does so with one that rests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""
        self._loop = asyncio.get_running_loop()

    async def ask(self, request: bytes) -> bytes:
        """Send a request, and return the body of its answer; RuntimeError where that is no success."""
        rested = self._transport is not None
        try:
            return await self._ask(request)
        except ConnectionError:
            # The server closes what rests for long, perhaps just when this was sent.
            if not rested:
                raise
            return await self._ask(request)

    async def _ask(self, request: bytes) -> bytes:
        assert self._answer is None, "one at a time"
        if self._transport is None:
            await self._loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None, "it is open now"
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None
        if self._answer is not None:
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))
            self._answer = None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        at = head.lower().index(b"content-length:") + 15
        if len(body) >= int(head[at:].partition(b"\r")[0]):
            answer, self._answer, self._received = self._answer, None, b""
            if head.startswith(b"HTTP/1.1 201 "):
                answer.set_result(body)
            else:
                answer.set_exception(RuntimeError(f"refused: {head.decode()} {body.decode()}"))


@asynccontextmanager
async def make_links(port: int, count: int) -> AsyncGenerator[Sequence[HttpLink]]:
    """Make connections, which are closed with the block."""
    links = [HttpLink(port) for _ in range(count)]
    try:
        yield links
    finally:
        for link in links:
            link.close()


def make_request(path: str, body: bytes, token: str | None = None) -> bytes:
    """Return the bytes of a POST of JSON, with the headers that any client sends."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "accept: application/json",
        "accept-encoding: gzip, deflate",
        "user-agent: clew-bench/1",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *([] if token is None else [f"authorization: Bearer {token}"]),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
