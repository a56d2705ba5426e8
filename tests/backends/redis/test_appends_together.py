"""Appends to many threads that go in one script call: each has its own answer, and its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
import redis.asyncio as redis

import clew
from clew import NewItem, Ref, Store

THREADS = 40


@pytest.fixture(params=["redis-6.2", "redis-8.2", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    return url_of(request.param)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with clew.connect(url) as store:
        yield store


@pytest.fixture
async def client(url: str) -> AsyncIterator[redis.Redis]:
    async with redis.Redis.from_url(url.partition("?")[0], protocol=2) as client:
        yield client


async def make_threads(store: Store, count: int = THREADS, *, ttl: float | None = None) -> list[Ref]:
    """Return new threads of one owner."""
    owner = f"owner-{uuid4().hex}"
    threads = [Ref(owner, f"thread-{n:03}") for n in range(count)]
    for thread in threads:
        await store.threads.create(owner, id=thread.id, ttl=ttl)
    return threads


def key_of(store: Store, tag: str, kind: str) -> str:
    """Return a key as the table of keys has it."""
    namespace = store.backend.options.namespace  # type: ignore[attr-defined]  # only this backend has one
    return f"{namespace}:{{{tag}}}:{kind}"


async def count_calls(client: redis.Redis) -> int:
    """Return how many scripts the server has run."""
    return int((await client.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_appends_to_many_threads_are_few_calls_and_each_is_its_own(store: Store, client: redis.Redis) -> None:
    threads = await make_threads(store, ttl=3600)
    await asyncio.gather(*(store.items.append(thread, NewItem(b"0")) for thread in threads))
    before = await count_calls(client)
    done = await asyncio.gather(
        *(store.items.append(thread, [NewItem(b"%d" % n)] * (n % 3 + 1)) for n, thread in enumerate(threads)),
        *(store.items.append(thread, NewItem(b"last")) for thread in threads[:5]),
    )
    assert await count_calls(client) - before < THREADS / 2
    for n, thread in enumerate(threads):
        count = n % 3 + 1
        assert done[n].positions == tuple(range(2, 2 + count))
        found = [item.data for item in await store.items.tail(thread)]
        assert found == [b"0", *[b"%d" % n] * count, *[b"last"] * (n < 5)]
        left = (await store.threads.get(thread)).expires_at
        assert left is not None


async def test_a_thread_that_is_gone_fails_alone(store: Store) -> None:
    threads = await make_threads(store)
    await store.threads.delete(threads[3])
    absent = Ref(threads[0].owner, "never")
    calls = (store.items.append(thread, NewItem(b"x")) for thread in (*threads, absent))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[3], clew.GoneError)
    assert isinstance(done[-1], clew.NotFoundError)
    assert not isinstance(done[-1], clew.GoneError)
    assert [n for n, each in enumerate(done) if isinstance(each, BaseException)] == [3, THREADS]


async def test_a_thread_whose_keys_another_program_broke_fails_alone(store: Store, client: redis.Redis) -> None:
    threads = await make_threads(store)
    broken = key_of(store, f"{threads[7].owner}/{threads[7].id}", "log:items")
    await client.set(broken, "not a list")
    done = await asyncio.gather(*(store.items.append(thread, NewItem(b"x")) for thread in threads), return_exceptions=True)
    assert [n for n, each in enumerate(done) if isinstance(each, BaseException)] == [7]
    assert isinstance(done[7], clew.ClewError)
    for n, thread in enumerate(threads):
        if n != 7:
            assert [item.data for item in await store.items.tail(thread)] == [b"x"]
    await client.delete(broken)


async def test_the_listing_is_in_the_order_of_the_appends(store: Store) -> None:
    threads = await make_threads(store)
    mixed = threads[1::2] + threads[::2]
    await asyncio.gather(*(store.items.append(thread, NewItem(b"x")) for thread in mixed))
    page = await store.threads.list(threads[0].owner, limit=THREADS)
    assert [thread.id for thread in page] == [thread.id for thread in reversed(mixed)]


async def test_a_thread_that_is_no_more_listed_is_listed_again(store: Store, client: redis.Redis) -> None:
    threads = await make_threads(store, 6)
    owner = threads[0].owner
    for key in (key_of(store, owner, "threads"), key_of(store, owner, "made")):
        await client.zrem(key, threads[2].id, threads[4].id)
    await asyncio.gather(*(store.items.append(thread, NewItem(b"x")) for thread in threads))
    page = await store.threads.list(owner)
    assert {thread.id for thread in page} == {thread.id for thread in threads}
    made = await client.zrange(key_of(store, owner, "made"), 0, -1)
    assert sorted(made) == [thread.id.encode() for thread in threads]


async def test_scripts_that_were_flushed_are_loaded_again(store: Store, client: redis.Redis) -> None:
    threads = await make_threads(store)
    await client.script_flush()
    done = await asyncio.gather(*(store.items.append(thread, NewItem(b"x")) for thread in threads))
    assert {each.positions for each in done} == {(1,)}


async def test_given_ids_are_told_apart_among_many(store: Store) -> None:
    threads = await make_threads(store)
    for _ in range(2):
        done = await asyncio.gather(*(store.items.append(thread, NewItem(b"x", id="same")) for thread in threads))
    assert {each.duplicates for each in done} == {frozenset({"same"})}
    assert {len(await store.items.tail(thread)) for thread in threads} == {1}


async def test_a_refusal_is_told_as_one_where_no_replica_confirms(url: str) -> None:
    async with clew.connect(f"{url}&replicas=1&replica_timeout=0.05") as store:
        owner = f"owner-{uuid4().hex}"
        with pytest.raises(clew.NotReplicatedError):
            await store.threads.create(owner, id="here")
        threads = [Ref(owner, name) for name in ("here", "absent", "never")]
        done = await asyncio.gather(*(store.items.append(thread, NewItem(b"x")) for thread in threads), return_exceptions=True)
        assert [type(each) for each in done] == [clew.NotReplicatedError, clew.NotFoundError, clew.NotFoundError]
        with pytest.raises(clew.NotFoundError):
            await store.items.append(threads[1], NewItem(b"x"))
        with pytest.raises(clew.ConflictError):
            await store.items.append(threads[0], NewItem(b"x"), expect=7)
