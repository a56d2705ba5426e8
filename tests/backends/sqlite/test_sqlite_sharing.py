"""One file for several processes, one store for several event loops, and what closing leaves."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clew.backends.sqlite import SqliteBackend, open_backend
from clew.codec import make_entry
from clew.errors import ClosedError, GoneError, UnknownCursorError
from clew.records import Append, Entry, Partition, PutDocument
from tests.support import threads_of_stores, wait_until

from .conftest import Opener

PLACE = Partition("owner", "thread")
PEER = Path(__file__).with_name("peer.py")


def add(id: str, log: str = "items") -> Append:
    return Append(log, make_entry(id, b"data"))


async def start_peer(path: Path, name: str, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PEER), f"sqlite:///{path}?timeout=30", name, str(count), stdout=asyncio.subprocess.PIPE
    )


async def take(entries: AsyncIterator[Entry], count: int) -> list[str]:
    """Return the ids of the next entries."""
    async with asyncio.timeout(20):
        return [(await anext(entries)).id for _ in range(count)]


async def test_several_processes_open_and_write_one_new_file_at_once(path: Path, open_store: Opener) -> None:
    peers = [await start_peer(path, f"p{n}", 100) for n in range(4)]
    assert [(await peer.communicate())[0] for peer in peers] == [b"done\n"] * 4
    store = await open_store()
    page = await store.read(PLACE, "items", limit=1000)
    assert [entry.position for entry in page.entries] == list(range(1, 401))
    for name in ("p0", "p1", "p2", "p3"):
        assert [entry.id for entry in page.entries if entry.id.startswith(name)] == [f"{name}-{n}" for n in range(100)]
    assert await store.revision(PLACE) == 400


async def test_a_follower_hears_another_process(path: Path, store: SqliteBackend) -> None:
    followers = [store.follow(PLACE, "items") for _ in range(3)]
    tasks = [asyncio.create_task(take(each, 5)) for each in followers]
    peer = await start_peer(path, "p", 5)
    assert await asyncio.gather(*tasks) == [[f"p-{n}" for n in range(5)]] * 3
    assert (await peer.communicate())[0] == b"done\n"


async def test_a_follower_hears_its_own_process_at_once_and_only_of_its_own_log(store: SqliteBackend) -> None:
    await store.commit(PLACE, [add("a"), add("b")])
    entries = store.follow(PLACE, "items", after="a")
    assert await take(entries, 1) == ["b"]
    waiting = asyncio.create_task(take(entries, 2))
    await store.commit(PLACE, [add("x", "other")])
    await store.commit(Partition("owner", "elsewhere"), [add("y")])
    await asyncio.gather(store.commit(PLACE, [add("c")]), store.commit(PLACE, [add("d")]))
    assert await waiting == ["c", "d"]


async def test_a_follower_from_an_unknown_id_is_told(store: SqliteBackend) -> None:
    with pytest.raises(UnknownCursorError):
        await anext(store.follow(PLACE, "items", after="nobody"))


@pytest.mark.parametrize("tombstone_ms", [0, 60_000])
async def test_a_follower_is_told_that_its_partition_was_dropped(open_store: Opener, tombstone_ms: int) -> None:
    one, two = await open_store(), await open_store()
    await one.commit(PLACE, [add("a")])
    followers = [store.follow(PLACE, "items", after=1) for store in (one, two)]
    waiting = [asyncio.ensure_future(anext(each)) for each in followers]
    await wait_until(lambda: one._engine.watch.is_watched and two._engine.watch.is_watched)
    await asyncio.gather(one.read(PLACE, "items"), two.read(PLACE, "items"))
    assert await one.drop(PLACE, tombstone_ms=tombstone_ms)
    for each in waiting:
        with pytest.raises(GoneError):
            await asyncio.wait_for(each, 20)


def test_one_store_serves_one_event_loop_after_the_other(path: Path) -> None:
    store = asyncio.run(open_backend(f"sqlite:///{path}"))
    for n in range(3):
        assert asyncio.run(store.commit(PLACE, [add(f"id-{n}")])).outcomes == (n + 1,)
    assert len(asyncio.run(store.read(PLACE, "items")).entries) == 3
    asyncio.run(store.aclose())


def test_a_loop_that_ends_before_its_commits_harms_nobody(path: Path) -> None:
    store = asyncio.run(open_backend(f"sqlite:///{path}"))

    async def leave() -> None:
        tasks = [asyncio.create_task(store.commit(PLACE, [add(f"id-{n}")])) for n in range(50)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    asyncio.run(leave())
    assert asyncio.run(store.commit(PLACE, [add("last")])).outcomes == (51,)
    asyncio.run(store.aclose())


def test_one_store_serves_several_event_loops_at_once(path: Path) -> None:
    store = asyncio.run(open_backend(f"sqlite:///{path}"))
    heard: list[list[str]] = []

    async def work(name: str) -> None:
        entries = store.follow(Partition("owner", "all"), "items")
        listening = asyncio.create_task(take(entries, 200))
        await asyncio.gather(*(store.commit(Partition("owner", "all"), [add(f"{name}-{n}")]) for n in range(50)))
        heard.append(await listening)

    threads = [threading.Thread(target=lambda name=name: asyncio.run(work(name))) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(store.aclose())
    assert len(heard) == 4
    assert all(each == heard[0] for each in heard)
    assert sorted(heard[0]) == sorted(f"{name}-{n}" for name in "abcd" for n in range(50))


async def test_what_was_accepted_before_the_close_is_finished(path: Path, open_store: Opener) -> None:
    store = await open_store()
    tasks = [asyncio.create_task(store.commit(PLACE, [add(f"id-{n}")])) for n in range(200)]
    await asyncio.sleep(0)
    await asyncio.gather(store.aclose(), store.aclose())
    assert [(await task).outcomes for task in tasks] == [(n + 1,) for n in range(200)]
    assert [found.name for found in path.parent.iterdir()] == [path.name], "the log was not put back into the file"
    again = await open_store()
    assert await again.revision(PLACE) == 200


async def test_a_closed_store_says_so_to_every_verb_and_to_its_followers(open_store: Opener) -> None:
    store = await open_store()
    await store.commit(PLACE, [add("a")])
    waiting = asyncio.ensure_future(anext(store.follow(PLACE, "items", after=1)))
    await wait_until(lambda: store._engine.watch.is_watched)
    await store.aclose()
    await store.aclose()
    with pytest.raises(ClosedError):
        await asyncio.wait_for(waiting, 10)
    for call in (
        lambda: store.commit(PLACE, []),
        lambda: store.fetch(PLACE),
        lambda: store.read(PLACE, "items"),
        lambda: store.revision(PLACE),
        lambda: store.drop(PLACE),
        lambda: store.list("owner"),
        lambda: store.claim(PLACE, "name", "holder", ttl_ms=1000),
        lambda: store.expire(PLACE, 1000),
        lambda: store.get_value("key"),
    ):
        with pytest.raises(ClosedError, match="connect again"):
            await call()


async def test_a_store_that_nobody_closed_is_reported_and_its_threads_end(path: Path) -> None:
    stores = [await open_backend(f"sqlite:///{path}")]
    await stores[0].commit(PLACE, [PutDocument("d", b"1")])
    gc.collect()
    with pytest.warns(ResourceWarning, match="await its aclose"):
        stores.clear()
    await wait_until(lambda: not threads_of_stores())


async def test_an_opening_that_is_cancelled_leaves_nothing(path: Path) -> None:
    for _ in range(20):
        task = asyncio.create_task(open_backend(f"sqlite:///{path}"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await wait_until(lambda: not threads_of_stores())


async def test_every_store_in_memory_is_its_own() -> None:
    one, two = await open_backend("memory://"), await open_backend("memory://")
    await one.commit(PLACE, [add("a")])
    assert (await one.revision(PLACE), await two.revision(PLACE)) == (1, 0)
    await asyncio.gather(one.aclose(), two.aclose())
