"""Times to live of items, by the store's clock: renewed by reads, never returned when over, and swept away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import cast

import pytest
from langgraph.store.base import PutOp, TTLConfig

import clew
from clew import Store
from clew.adapters.langgraph import ClewStore
from clew.adapters.langgraph.memories.shelves import LEAST_MS
from clew.ids import new_id
from clew.records import Partition, PutDocument
from clew.testing import FixedClock, Recorder, WholeBackend, memory_store

from .store_support import index_of, named

MINUTE = 60


@pytest.fixture
def clock() -> FixedClock:
    """The store's clock, which is not this process's."""
    return FixedClock()


@pytest.fixture
async def store(clock: FixedClock) -> AsyncIterator[Store]:
    """An empty store in memory with that clock."""
    async with memory_store(clock=clock) as opened:
        yield opened


def make(store: Store, **ttl: float) -> ClewStore:
    """Return a store as a process has it that knows nothing yet."""
    return ClewStore(store, owner="ada", index=index_of(), ttl=cast(TTLConfig, ttl) or None)


async def test_an_item_is_there_until_its_time_is_over(store: Store, clock: FixedClock) -> None:
    ours = make(store, default_ttl=10, refresh_on_read=False)
    await ours.aput(("n", "m"), "default", {"text": "a"})
    await ours.aput(("n",), "longer", {"text": "b"}, ttl=30)
    await ours.aput(("n",), "stays", {"text": "c"}, ttl=None)
    for minutes, there in ((9.9, ["default", "longer", "stays"]), (0.2, ["longer", "stays"]), (19.8, ["longer", "stays"])):
        clock.advance(minutes * MINUTE)
        assert sorted(item.key for item in await ours.asearch((), query="what")) == there
        assert [await ours.aget(("n",), key) is not None for key in ("longer", "stays")] == [True, True]
        assert (("n", "m") in await ours.alist_namespaces()) == ("default" in there)
    clock.advance(0.2 * MINUTE)
    assert named(await ours.asearch(())) == [(("n",), "stays")]
    assert await ours.aget(("n",), "longer") is None


@pytest.mark.parametrize("refresh", [True, False])
async def test_a_read_starts_the_time_anew_unless_it_is_told_not_to(store: Store, clock: FixedClock, refresh: bool) -> None:
    ours = make(store, refresh_on_read=refresh)
    for key in ("got", "found", "left"):
        await ours.aput(("n",), key, {"key": key}, ttl=10)
    for _ in range(3):
        clock.advance(6 * MINUTE)
        await ours.aget(("n",), "got")
        await ours.aget(("n",), "left", refresh_ttl=False)
        await make(store, refresh_on_read=refresh).asearch(("n",), filter={"key": "found"})
    assert sorted(item.key for item in await ours.asearch(("n",))) == (["found", "got"] if refresh else [])


async def test_a_read_renews_nothing_that_was_deleted_or_written_meanwhile(store: Store, clock: FixedClock) -> None:
    ours = make(store)
    await ours.aput(("n",), "k", {"at": 1}, ttl=10)
    clock.advance(5 * MINUTE)

    class Meanwhile(Recorder):
        """A backend where somebody else writes after what is read has been read."""

        async def fetch(self, partition: Partition, keys: list[str] | None = None) -> clew.records.Snapshot:  # type: ignore[override]
            found = await super().fetch(partition, keys)
            if "items" in partition.name:
                await ours.aput(("n",), "k", {"at": 2}, ttl=1)
            return found

    reader = ClewStore(Store(cast(WholeBackend, Meanwhile(cast(WholeBackend, store.backend)))), owner="ada")
    item = await reader.aget(("n",), "k")
    assert item is not None
    assert item.value == {"at": 1}
    clock.advance(1.1 * MINUTE)
    assert await ours.aget(("n",), "k") is None


async def test_an_item_put_again_after_its_time_is_a_new_one(store: Store, clock: FixedClock) -> None:
    ours = make(store)
    await ours.aput(("n",), "k", {"at": 1}, ttl=10)
    await ours.aput(("n",), "other", {"at": 1})
    clock.advance(11 * MINUTE)
    for writer in (ours, make(store)):
        await ours.asearch(())  # the clock was set: an answer tells it
        await writer.aput(("n",), "k", {"at": 2}, ttl=10)
        item = await ours.aget(("n",), "k", refresh_ttl=False)
        assert item is not None
        assert item.created_at == item.updated_at
        assert abs(item.created_at - clock.now) < timedelta(seconds=1)
        clock.advance(11 * MINUTE)


async def test_the_sweep_deletes_what_is_over_and_nothing_else(store: Store, clock: FixedClock) -> None:
    ours = make(store)
    await ours.abatch([PutOp(("n", str(at % 3)), f"k{at}", {"text": f"{at}"}, None, 10 if at % 2 else None) for at in range(600)])
    await ours.aput(("gone",), "k", {"text": "a"}, ttl=10)
    await ours.aput(("kept", "below"), "k", {"text": "a"})
    clock.advance(11 * MINUTE)
    assert await make(store).asweep_ttl() == 301
    assert await make(store).asweep_ttl() == 0
    assert len(await ours.asearch((), query="what", limit=1000)) == 301
    assert not [key for key in await documents(store, "items", "n.1") if key.endswith("k1")]
    assert not [key for key in await documents(store, "vectors", "n.1") if key.endswith("k1")]


async def test_the_sweep_forgets_a_namespace_once_nobody_can_still_be_writing_there(store: Store, clock: FixedClock) -> None:
    ours = make(store)
    await ours.aput(("a", "b", "c"), "k", {"text": "a"})
    await ours.aput(("a", "d"), "k", {"text": "a"})
    await ours.adelete(("a", "b", "c"), "k")
    assert await ours.alist_namespaces() == [("a", "d")]
    await ours.asweep_ttl()
    assert await documents(store, "labels", "a.b") == ["n/c"]
    # A process that knows the way writes without looking, and what it writes is found.
    await ours.aput(("a", "b", "c"), "k", {"text": "a"})
    assert await make(store).alist_namespaces() == [("a", "b", "c"), ("a", "d")]
    await ours.adelete(("a", "b", "c"), "k")
    clock.advance(2 * 60 * MINUTE)
    assert await ours.asweep_ttl() == 0
    assert await documents(store, "labels", "a") == ["n/d"]
    assert [await store.backend.revision(Partition("ada", f"langgraph-store/{kind}/a.b.c")) for kind in KINDS] == [0, 0, 0]
    await make(store).aput(("a", "b", "c"), "k", {"text": "a"})
    assert await ours.alist_namespaces() == [("a", "b", "c"), ("a", "d")]


async def test_the_sweep_takes_vectors_that_no_item_has_when_nobody_can_still_be_writing_them(
    store: Store, clock: FixedClock
) -> None:
    ours = make(store)
    await ours.aput(("n",), "k", {"text": "a"})
    (own,) = [name for name in await documents(store, "vectors", "n") if name.startswith("v/")]
    place = Partition("ada", "langgraph-store/vectors/n")
    data = (await store.backend.fetch(place)).documents[own]
    await store.backend.commit(place, [PutDocument(f"v/{'0' * 16}/k", data), PutDocument(f"v/{'1' * 16}/gone", data)])
    await ours.asweep_ttl()
    assert len(await documents(store, "vectors", "n")) == 3
    clock.advance(61 * MINUTE)
    await ours.asweep_ttl()
    assert await documents(store, "vectors", "n") == [own]
    assert (await ours.asearch(("n",), query="what"))[0].score is not None


async def test_what_is_abandoned_goes_without_a_sweep(store: Store, clock: FixedClock) -> None:
    ours = make(store)
    await ours.aput(("n",), "k", {"text": "a"}, ttl=10)
    await ours.aput(("n",), "l", {"text": "a"}, ttl=20)
    clock.advance(15 * MINUTE)
    assert await ours.aget(("n",), "l") is not None  # which starts its time anew: 35 minutes
    clock.advance(19 * MINUTE)
    assert await ours.aget(("n",), "l", refresh_ttl=False) is not None
    clock.advance(20 * MINUTE + LEAST_MS / 1000)
    names = [Partition("ada", f"langgraph-store/{kind}/n") for kind in ("items", "vectors")]
    assert [await store.backend.revision(name) for name in names] == [0, 0]


@pytest.mark.parametrize("first", [10, None])
async def test_what_stays_keeps_its_namespace_whoever_wrote_there_before(
    store: Store, clock: FixedClock, first: float | None
) -> None:
    one, other = make(store), make(store)
    await one.aput(("n",), "first", {"text": "a"}, ttl=first)
    await other.aput(("n",), "short", {"text": "a"}, ttl=10)
    await other.aput(("n",), "stays", {"text": "b"}) if first else None
    await one.aput(("n",), "short", {"text": "a"}, ttl=10)
    clock.advance(24 * 60 * MINUTE)
    assert [item.key for item in await make(store).asearch((), query="what")] == ["stays" if first else "first"]


async def test_a_sweeper_sweeps_until_it_is_stopped(store: Store, clock: FixedClock) -> None:
    ours = make(store, sweep_interval_minutes=0.0001)
    await ours.aput(("n",), "k", {"text": "a"}, ttl=10)
    await ours.aput(("n",), "stays", {"text": "a"})
    clock.advance(11 * MINUTE)
    task = await ours.start_ttl_sweeper()
    assert await ours.start_ttl_sweeper() is task
    while "m/k" in await documents(store, "items", "n"):
        pass
    await ours.stop_ttl_sweeper()
    assert task.done()


async def test_a_partition_vanishes_on_redis_too(url_of: Callable[..., str]) -> None:
    async with clew.connect(url_of("redis-8.2")) as store:
        ours = ClewStore(store, owner=f"ada-{new_id()}")
        await ours.aput(("n",), "k", {"at": 1}, ttl=0.05)
        item = await ours.aget(("n",), "k")
        assert item is not None
        left = await _left_ms(ours, store)
        assert 50 < left < 3 * LEAST_MS
        await ours.aput(("n",), "stays", {"at": 1})
        assert await _left_ms(ours, store) == -1


KINDS = ("items", "vectors", "labels")


async def documents(store: Store, kind: str, path: str) -> list[str]:
    """Return the keys of the documents of one partition."""
    return sorted((await store.backend.fetch(Partition("ada", f"langgraph-store/{kind}/{path}"))).documents)


async def _left_ms(ours: ClewStore, store: Store) -> int:
    found = await store.backend.fetch(Partition(ours.owner, "langgraph-store/items/n"))
    return -1 if found.expires_ms is None else found.expires_ms - found.now_ms
