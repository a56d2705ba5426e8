"""A proxy before a Redis server that makes every answer late, as a network does; the order of bytes stays."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit, urlunsplit


class Slow:
    """Passes bytes on, those of the server after a delay."""

    def __init__(self, url: str, delay: float) -> None:
        """Do nothing yet. `delay` is in seconds."""
        self._parts = urlsplit(url)
        self._delay = delay
        self._port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen, after `aclose` on the same port again, and return the URL to use instead."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self._port)
        port = self._port = self._server.sockets[0].getsockname()[1]
        login = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{login[0]}{login[1]}127.0.0.1:{port}"))

    async def aclose(self) -> None:
        """Stop, and break what is open."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert self._server is not None
        if not self._server.is_serving():
            # It was accepted just before the end, when `aclose` could not know of it.
            writer.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Only `aclose` cancels it, and asyncio's own callback takes a cancelled one for a fault.
        with contextlib.suppress(asyncio.CancelledError):
            inner_reader, inner_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            with contextlib.closing(inner_writer):
                await asyncio.gather(_pump(reader, inner_writer, 0.0), _pump(inner_reader, writer, self._delay))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Pass everything on, each piece so much later than it came."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def pour() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            writer.write(data)
            if not data:
                return
            await writer.drain()

    pouring = asyncio.create_task(pour())
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                waiting.put_nowait((loop.time() + delay, data))
        waiting.put_nowait((0.0, b""))
        with contextlib.suppress(ConnectionError):
            await pouring
    finally:
        pouring.cancel()
        writer.close()
