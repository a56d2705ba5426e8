"""A server that takes connections more slowly than requests wait: the link comes all the same, and serves the next ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import pytest

import clew
from clew.backends.redis.trips import MAX_LINKS
from clew.records import Partition
from tests.support import wait_until

TIMEOUT_S = 0.5


class Porter:
    """Stands before a server, and lets each connection wait before its first byte is passed on."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
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
        back, forth = await asyncio.open_connection(*self._place)
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


@pytest.fixture
async def porter(url_of: Callable[..., str]) -> AsyncIterator[tuple[Porter, str]]:
    """A porter, and the URL of a store behind it."""
    parts = urlsplit(url_of("redis-8.2"))
    assert parts.hostname is not None
    made = Porter(parts.hostname, parts.port or 6379)
    server = await asyncio.start_server(made.receive, "127.0.0.1", 0)
    netloc = f"{parts.netloc.rpartition('@')[0]}@" * ("@" in parts.netloc) + f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    options = f"timeout={TIMEOUT_S}&connect_timeout=5"
    yield made, urlunsplit(parts._replace(netloc=netloc, query="&".join(filter(None, (parts.query, options)))))
    server.close()
    made.cut()
    await wait_until(lambda: made.here == 0)


async def test_an_attempt_to_connect_goes_on_when_the_requests_that_wait_for_it_are_over(porter: tuple[Porter, str]) -> None:
    door, url = porter
    async with clew.connect(url) as store:
        door.wait_s = 4 * TIMEOUT_S
        door.cut()
        before, refused = door.came, 0
        loop = asyncio.get_running_loop()

        async def answers() -> bool:
            nonlocal refused
            start = loop.time()
            found = await asyncio.gather(
                *(store.backend.revision(Partition("a", f"{n}")) for n in range(5)), return_exceptions=True
            )
            refused += sum(isinstance(each, clew.UnavailableError) for each in found)
            assert loop.time() - start < 3 * TIMEOUT_S
            return 0 in found

        await wait_until(answers)
        assert refused > 0
        assert 1 <= door.came - before <= MAX_LINKS


async def test_a_close_leaves_no_attempt_to_connect_behind(porter: tuple[Porter, str]) -> None:
    door, url = porter
    async with clew.connect(url) as store:
        door.wait_s = 60
        door.cut()
        with pytest.raises(clew.UnavailableError):
            await store.backend.revision(Partition("a", "b"))
        assert door.here == 1
        async with asyncio.timeout(3):
            await store.aclose()
    await wait_until(lambda: door.here == 0)
