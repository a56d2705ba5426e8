"""Redis away, flushed, or cut off: a typed error within the time-out, never "not found", and the same client goes on after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from clew.backend import Backend, Collecting, Expiry, Leasing, Listing, Pinging, Values
from clew.codec import make_entry
from clew.errors import ClewError, UnavailableError, UnsupportedError
from clew.ids import new_id
from clew.records import Append, Entry, Partition, PutDocument
from clew.schemes import open_backend
from clew.splicing import Splicing
from servers import Server
from servers.ports import reserve
from tests.support import fresh_partition, wait_until, with_options

from .ledger import LOG, Ledger, read_all, write_through

Open = Callable[[str], Awaitable[Backend]]
TIMEOUT = 0.4
SLACK = 1.0
"""How much later than its time-out a call may come back on a busy machine."""

VERBS: dict[str, Callable[[Backend, Partition], Awaitable[object]]] = {
    "commit": lambda backend, partition: backend.commit(partition, [PutDocument("a", b"1")]),
    "fetch": lambda backend, partition: backend.fetch(partition),
    "read": lambda backend, partition: backend.read(partition, LOG),
    "read after an id": lambda backend, partition: backend.read(partition, LOG, after="w0.0"),
    "follow": lambda backend, partition: anext(aiter(backend.follow(partition, LOG, after=1))),
    "revision": lambda backend, partition: backend.revision(partition),
    "drop": lambda backend, partition: backend.drop(fresh_partition()),
    "list": lambda backend, partition: cast(Listing, backend).list(partition.owner),
    "claim": lambda backend, partition: cast(Leasing, backend).claim(partition, "a", "me", ttl_ms=100),
    "expire": lambda backend, partition: cast(Expiry, backend).expire(partition, 60_000),
    "get_value": lambda backend, partition: cast(Values, backend).get_value(new_id()),
    "put_value": lambda backend, partition: cast(Values, backend).put_value(new_id(), b"1", ttl_ms=1000),
    "splice_value": lambda backend, partition: cast(Splicing, backend).splice_value(new_id(), b"11", mark=b"1", tail=1),
    "add_members": lambda backend, partition: cast(Collecting, backend).add_members(new_id(), [b"1"]),
    "get_members": lambda backend, partition: cast(Collecting, backend).get_members(new_id()),
    "push_elements": lambda backend, partition: cast(Collecting, backend).push_elements(new_id(), [b"1"]),
    "get_elements": lambda backend, partition: cast(Collecting, backend).get_elements(new_id()),
    "delete_key": lambda backend, partition: cast(Collecting, backend).delete_key(new_id()),
    "expire_key": lambda backend, partition: cast(Collecting, backend).expire_key(new_id(), 1000),
    "ping": lambda backend, partition: cast(Pinging, backend).ping(),
    "scan_values": lambda backend, partition: cast(Values, backend).scan_values("nothing*"),
}


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


async def test_every_verb_is_unavailable_in_time_while_redis_hangs_and_works_when_it_is_back(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server()
    backend, partition = await open_store(with_options(server.url, timeout=TIMEOUT)), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))], listed=True)
    server.pause()
    async with _within(TIMEOUT + SLACK):
        calls = [verb(backend, partition) for verb in VERBS.values()]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {name: type(answer) for name, answer in zip(VERBS, answers, strict=True)} == dict.fromkeys(VERBS, UnavailableError)
    server.resume()
    assert [entry.id for entry in (await backend.read(partition, LOG)).entries] == ["w0.0"]


async def test_every_verb_is_unavailable_in_time_while_the_port_refuses_and_works_when_it_is_back(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server("valkey-9.1", durable=True)
    backend, partition = await open_store(with_options(server.url, timeout=TIMEOUT)), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))], listed=True)
    server.kill()
    async with _within(TIMEOUT + SLACK):
        calls = [verb(backend, partition) for verb in VERBS.values()]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {name: type(answer) for name, answer in zip(VERBS, answers, strict=True)} == dict.fromkeys(VERBS, UnavailableError)
    server.restart()
    assert [entry.id for entry in (await backend.read(partition, LOG)).entries] == ["w0.0"]


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
async def test_opening_where_nobody_listens_is_unavailable_in_time(scheme: str) -> None:
    port = reserve()
    try:
        async with _within(TIMEOUT + SLACK):
            with pytest.raises(UnavailableError):
                await open_backend(f"{scheme}://127.0.0.1:{port.number}?timeout={TIMEOUT}")
    finally:
        port.release()


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "redis+sentinel"])
async def test_opening_where_nobody_answers_is_unavailable_in_time(scheme: str) -> None:
    async with _silent() as port, _within(TIMEOUT + SLACK):
        with pytest.raises(UnavailableError):
            await open_backend(f"{scheme}://127.0.0.1:{port}?timeout={TIMEOUT}")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "redis+sentinel"])
async def test_opening_what_is_no_redis_fails_in_time(scheme: str) -> None:
    async with _silent(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port, _within(TIMEOUT + SLACK):
        with pytest.raises((UnsupportedError, UnavailableError)):
            await open_backend(f"{scheme}://127.0.0.1:{port}?timeout={TIMEOUT}")


@asynccontextmanager
async def _silent(answer: bytes = b"") -> AsyncIterator[int]:
    """A port that takes connections and answers all with the same bytes, or with nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer and await reader.read(1):
            writer.write(answer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def test_a_short_outage_is_not_noticed_by_a_caller_or_a_follower(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server("redis-6.2", durable=True)
    backend, partition = await open_store(with_options(server.url, timeout=5)), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))])
    seen: list[str] = []

    async def follow() -> None:
        async for entry in backend.follow(partition, LOG):
            seen.append(entry.id)

    follower = asyncio.create_task(follow())
    await wait_until(lambda: seen == ["w0.0"])
    server.kill()
    write = asyncio.create_task(backend.commit(partition, [Append(LOG, make_entry("w0.1", b"{}"))]))
    await asyncio.to_thread(server.restart)
    assert (await write).outcomes == (2,)
    await wait_until(lambda: seen == ["w0.0", "w0.1"])
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)


async def test_a_follower_may_follow_again_from_where_it_was_after_a_long_outage(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(durable=True)
    backend, partition = await open_store(with_options(server.url, timeout=TIMEOUT)), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))])
    entries = backend.follow(partition, LOG)
    first = await anext(entries)
    server.kill()
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(anext(entries), 5)
    server.restart()
    await backend.commit(partition, [Append(LOG, make_entry("w0.1", b"{}"))])
    again = backend.follow(partition, LOG, after=first.position)
    assert (await asyncio.wait_for(anext(again), 5)).id == "w0.1"
    await _close(again)


async def _close(entries: AsyncIterator[Entry]) -> None:
    close = getattr(entries, "aclose", None)
    if close is not None:
        await close()


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_a_script_flush_is_not_noticed_in_the_middle_of_traffic(
    program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program)
    backend, partition = await open_store(server.url), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        for _ in range(20):
            await asyncio.to_thread(server.call, "SCRIPT", "FLUSH")
            await ledger.grow(20)

    ledger = await write_through(backend, partition, 20, trouble)
    assert ledger.troubles == []
    assert ledger.verify(await read_all(backend, partition)).clean


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_all_connections_killed_again_and_again_lose_and_double_nothing(
    program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program)
    backend, partition = await open_store(with_options(server.url, timeout=5)), fresh_partition()

    async def trouble(ledger: Ledger) -> None:
        for _ in range(20):
            await asyncio.to_thread(server.call, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await ledger.grow(20)

    ledger = await write_through(backend, partition, 20, trouble)
    assert ledger.troubles == []
    assert ledger.verify(await read_all(backend, partition)).clean


async def test_a_killed_connection_never_doubles_a_commit_that_is_no_append(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server()
    backend, partition = await open_store(with_options(server.url, timeout=5)), fresh_partition()
    done = Ledger()
    stop = asyncio.Event()

    async def put(writer: int) -> None:
        while not stop.is_set():
            commit = await backend.commit(partition, [PutDocument("a", b"%d" % writer)])
            done.note(f"{commit.revision}", commit.revision)

    async with asyncio.TaskGroup() as group:
        for writer in range(20):
            group.create_task(put(writer))
        try:
            for _ in range(20):
                await asyncio.to_thread(server.call, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await done.grow(20)
        finally:
            stop.set()
    # As many revisions as acknowledged commits: none was done twice, none got another's answer.
    assert sorted(done.positions.values()) == list(range(1, await backend.revision(partition) + 1))


async def test_a_server_that_comes_back_empty_is_believed(own_server: Callable[..., Server], open_store: Open) -> None:
    server = own_server()
    backend, partition = await open_store(server.url), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))])
    server.restart()
    assert await backend.revision(partition) == 0
    assert (await backend.commit(partition, [Append(LOG, make_entry("w0.0", b"{}"))])).outcomes == (1,)


async def test_the_error_of_an_unreachable_server_holds_no_password() -> None:
    port = reserve()
    try:
        with pytest.raises(ClewError) as caught:
            await open_backend(f"redis://me:geheim@127.0.0.1:{port.number}?timeout={TIMEOUT}")
    finally:
        port.release()
    assert "geheim" not in str(caught.value)
    assert str(port.number) in str(caught.value)
