"""A porter before a server: it passes bytes on, late where it is told to, and may lead to another server from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from tests.support import wait_until, with_options


class Porter:
    """Stands before a server, and lets each connection wait before its first byte is passed on."""

    def __init__(self, host: str, port: int) -> None:
        self.place = (host, port)
        """Where the next connections lead."""
        self._writers: set[asyncio.StreamWriter] = set()
        self.wait_s = 0.0
        self.came = 0

    @property
    def here(self) -> int:
        """How many connections are open."""
        return len(self._writers)

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.came += 1
        self._writers.add(writer)
        try:
            await self._pass(reader, writer, await self._first(reader))
        except (OSError, EOFError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _first(self, reader: asyncio.StreamReader) -> bytes:
        """Return the first bytes once they have waited long enough; EOFError where the caller leaves before."""
        data = await reader.read(65536)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait_s):
                data += await reader.readexactly(1)
        return data

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
        back, forth = await asyncio.open_connection(*self.place)
        forth.write(data)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, forth))
            group.create_task(_pump(back, writer))

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def stand_before(url: str, **options: float) -> AsyncIterator[tuple[Porter, str]]:
    """Stand before the server of a URL; gives the porter, and the URL of a store behind it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    made = Porter(parts.hostname, parts.port or 6379)
    server = await asyncio.start_server(made.receive, "127.0.0.1", 0)
    netloc = f"{parts.netloc.rpartition('@')[0]}@" * ("@" in parts.netloc) + f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made, with_options(urlunsplit(parts._replace(netloc=netloc)), **options)
    server.close()
    made.cut()
    await wait_until(lambda: made.here == 0)
