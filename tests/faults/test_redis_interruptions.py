"""Calls cut off by their callers, by a broken connection, or by a close: nobody gets another's answer, or waits for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from clew.backend import Backend
from clew.codec import make_entry
from clew.errors import ClosedError, UnavailableError
from clew.records import Append, Partition, PutDocument, Snapshot
from servers import Server
from tests.support import fresh_partition, with_options

from .ledger import LOG, read_all

Open = Callable[[str], Awaitable[Backend]]


async def test_a_cancelled_caller_never_tears_a_commit(own_server: Callable[..., Server], open_store: Open) -> None:
    server = own_server()
    backend, partition = await open_store(server.url), fresh_partition()
    for number in range(200):
        pair = [Append(LOG, make_entry(f"w0.{2 * number + n}", b"{}")) for n in range(2)]
        call = asyncio.create_task(backend.commit(partition, pair))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await backend.commit(partition, [PutDocument("end", b"1")])
    numbers = [int(entry.id.partition(".")[2]) for entry in await read_all(backend, partition)]
    assert len(numbers) % 2 == 0
    assert all(second == first + 1 and first % 2 == 0 for first, second in zip(numbers[::2], numbers[1::2], strict=True))


@pytest.mark.parametrize("password", [None, "geheim"])
async def test_a_caller_cancelled_during_a_reconnect_leaves_no_answer_for_the_next(
    password: str | None, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(password=password)
    backend, patient = await open_store(with_options(server.url, timeout=0.1)), await open_store(server.url)
    partitions = [fresh_partition() for _ in range(3)]
    for number, partition in enumerate(partitions):
        for _ in range(number + 1):
            await patient.commit(partition, [PutDocument("name", partition.name.encode())])

    async def reconnect() -> None:
        server.pause()
        with pytest.raises(UnavailableError):
            await backend.revision(partitions[0])
        server.resume()
        call = asyncio.create_task(backend.fetch(partitions[0]))
        for _ in range(random.randint(1, 30)):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    async def fetch(partition: Partition) -> Snapshot:
        while True:
            try:
                return await backend.fetch(partition)
            except UnavailableError:
                continue  # a busy machine

    for _ in range(12):
        await reconnect()
        for number, partition in enumerate(partitions):
            snapshot = await fetch(partition)
            assert (snapshot.revision, snapshot.documents["name"]) == (number + 1, partition.name.encode())


async def test_a_page_whose_connection_breaks_halfway_is_read_again_whole(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server()
    backend, partition = await open_store(server.url), fresh_partition()
    entries = [make_entry(f"w0.{number}", b"%d" % number * 2000) for number in range(500)]
    await backend.commit(partition, [Append(LOG, entry) for entry in entries])
    stop = asyncio.Event()

    async def read(first: int) -> int:
        pages = 0
        while not stop.is_set():
            page = await backend.read(partition, LOG, after=f"w0.{first}", limit=300)
            assert [(entry.id, entry.data) for entry in page.entries] == [
                (entry.id, entry.data) for entry in entries[first + 1 : first + 301]
            ]
            pages += 1
        return pages

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read(first)) for first in range(0, 500, 50)]
        try:
            for _ in range(100):
                await asyncio.to_thread(server.call, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        finally:
            stop.set()
    assert min(reader.result() for reader in readers) > 0


@pytest.mark.parametrize("hung", [True, False])
async def test_a_close_ends_the_calls_that_wait_for_a_server(
    hung: bool, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server()
    backend, partition = await open_store(with_options(server.url, timeout=2)), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("a", b"{}"))])
    follower = asyncio.create_task(_follow(backend, partition.owner, partition.name))
    await asyncio.sleep(0)
    if hung:
        server.pause()
    else:
        server.kill()
    calls = [asyncio.create_task(backend.revision(fresh_partition())) for _ in range(10)]
    calls += [asyncio.create_task(_append(backend, number)) for number in range(10)]
    for _ in range(20):
        await asyncio.sleep(0.005)
    async with asyncio.timeout(4):
        await backend.aclose()
        answers = await asyncio.gather(*calls, follower, return_exceptions=True)
    assert {type(answer) for answer in answers} <= {ClosedError, UnavailableError}
    with pytest.raises(ClosedError):
        await backend.revision(partition)


async def _append(backend: Backend, number: int) -> int:
    return (await backend.commit(fresh_partition(), [Append(LOG, make_entry(f"{number}", b"{}"))])).revision


async def _follow(backend: Backend, owner: str, name: str) -> None:
    async for _ in backend.follow(fresh_partition(owner), LOG):
        raise AssertionError(f"{name} is another thread")
