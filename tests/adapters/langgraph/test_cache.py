"""The cache: as LangGraph's own in-memory one, in every process, and for one owner."""

from __future__ import annotations

import asyncio
import operator
import random
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.cache.base import FullKey, Namespace
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import CachePolicy

import clew
from clew import Store
from clew.adapters.langgraph import ClewCache
from clew.adapters.langgraph.cache import MOST_BYTES
from clew.ids import new_id
from clew.limits import MAX_DATA_BYTES

from ...support import wait_until

WEEK = 7 * 24 * 3600


@pytest.fixture
async def cache(store: Store) -> AsyncIterator[ClewCache[Any]]:
    """A cache for an owner of the test's own, empty before and after."""
    async with ClewCache[Any](store, owner=f"ada:{new_id()}") as made:
        yield made
        await made.aclear()


NAMES = [
    "",
    "a",
    "a/",
    "/a",
    "a:b",
    "*",
    "a*",
    "[ab]",
    "?",
    "=",
    "%2F",
    "Zoë",
    "\ud800",
    "n" * MOST_BYTES,
    "n" * (MOST_BYTES + 1),
]
NAMESPACES: list[Namespace] = [(), *((name,) for name in NAMES), ("a", ""), ("", "a"), ("a", "b"), ("a", "b", "c")]


def test_names_are_never_confused_and_clearing_one_leaves_the_others(url: str) -> None:
    async def run() -> None:
        async with clew.connect(url) as store, ClewCache[int](store, owner=f"ada:{new_id()}") as cache:
            keys: list[FullKey] = [(namespace, name) for namespace in NAMESPACES for name in NAMES]
            await cache.aset({key: (number, None) for number, key in enumerate(keys)})
            assert await cache.aget(keys) == {key: number for number, key in enumerate(keys)}
            for one in (("a",), ("*",), (), ("n" * (MOST_BYTES + 1),)):
                await cache.aclear([one])
                keys = [key for key in keys if key[0] != one]
                found = await cache.aget([(one, name) for name in NAMES] + keys)
                assert set(found) == set(keys)
            await cache.aclear([("a", ""), ("", "a"), ("a:b",), ("not there",)])
            keys = [key for key in keys if key[0] not in (("a", ""), ("", "a"), ("a:b",))]
            assert set(await cache.aget([(one, name) for one in NAMESPACES for name in NAMES])) == set(keys)
            await cache.aclear([])
            assert len(await cache.aget(keys)) == len(keys)
            await cache.aclear()
            assert await cache.aget(keys) == {}

    asyncio.run(run())


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_does_what_the_cache_in_memory_does(cache: ClewCache[Any], seed: int) -> None:
    chance, other = random.Random(seed), InMemoryCache[Any]()
    namespaces, names = NAMESPACES[:6], NAMES[:4]
    everything = [(namespace, name) for namespace in namespaces for name in names]
    for step in range(60):
        some = chance.sample(everything, chance.randrange(4))
        match chance.randrange(6):
            case 0 if step % 3 == 0:
                wanted = chance.choice([None, [], [chance.choice(namespaces)], chance.sample(namespaces, 2)])
                await asyncio.gather(cache.aclear(wanted), other.aclear(wanted))
            case 1 | 2 | 3:
                pairs = {key: ([step, key[1], b"\xff"], chance.choice([None, WEEK, 0, -1])) for key in some}
                await asyncio.gather(cache.aset(pairs), other.aset(pairs))
            case _:
                assert await cache.aget(some) == await other.aget(some)
        assert await cache.aget(everything) == await other.aget(everything)


async def test_an_entry_goes_when_its_time_is_over_and_setting_it_again_starts_a_new_one(cache: ClewCache[Any]) -> None:
    short: Any = 0.05  # seconds; LangGraph itself gives whole ones
    await cache.aset({((), "a"): (1, short), ((), "b"): (2, short), ((), "c"): (3, short)})
    await cache.aset({((), "b"): (2, WEEK), ((), "c"): (3, None)})

    async def is_over() -> bool:
        return ((), "a") not in await cache.aget([((), "a")])

    await wait_until(is_over)
    assert await cache.aget([((), "a"), ((), "b"), ((), "c")]) == {((), "b"): 2, ((), "c"): 3}


async def test_owners_never_meet(store: Store) -> None:
    key: FullKey = (("n",), "k")
    async with ClewCache[Any](store, owner=f"a:{new_id()}") as left:
        right = left.for_owner(f"{left.owner}:n")
        await left.aset({key: ("left", None)})
        await right.aset({key: ("right", None)})
        await right.aclear()
        assert (await left.aget([key]), await right.aget([key])) == ({key: "left"}, {})
        with pytest.raises(clew.InvalidError, match="owner"):
            left.for_owner("")
        await right.aclose()
        await right.aset({key: ("still open", None)})
        await right.aclear()
        await left.aclear()


async def test_a_synchronous_caller_has_the_same_entries_also_in_a_coroutine(cache: ClewCache[Any]) -> None:
    key: FullKey = (("n",), "k")
    cache.set({key: ("from here", 60)})
    assert await asyncio.to_thread(cache.get, [key]) == await cache.aget([key]) == {key: "from here"}
    await asyncio.to_thread(cache.clear, [("n",)])
    assert cache.get([key]) == {}


def test_it_opens_and_closes_what_a_url_names(url: str) -> None:
    key: FullKey = (("n",), "k")
    owner = f"ada:{new_id()}"
    with ClewCache[Any](url, owner=owner) as cache:
        cache.set({key: (1, None)})
    with pytest.raises(clew.ClosedError):
        cache.get([key])

    async def elsewhere() -> None:
        async with ClewCache[Any](url, owner=owner) as other:
            assert await other.aget([key]) == await asyncio.to_thread(other.get, [key]) == {key: 1}
            await other.aclear()

    asyncio.run(elsewhere())


async def test_what_it_is_given_is_checked_before_anything_is_written(store: Store, cache: ClewCache[Any]) -> None:
    for bad in ("", "no-scheme", 3):
        with pytest.raises(clew.InvalidError):
            ClewCache[Any](bad, owner="ada")  # type: ignore[arg-type]
    with pytest.raises(clew.InvalidError, match="owner"):
        ClewCache[Any](store, owner="")
    with pytest.raises(clew.InvalidError, match="a value to cache"):
        await cache.aset({((), "small"): (1, None), ((), "large"): (b"x" * MAX_DATA_BYTES, None)})
    assert await cache.aget([((), "small")]) == {}


async def test_with_a_serializer_that_encrypts_the_store_sees_nothing_of_a_value(store: Store) -> None:
    serde = EncryptedSerializer.from_pycryptodome_aes(key=b"k" * 16)
    async with ClewCache[Any](store, owner=f"ada:{new_id()}", serde=serde) as cache:
        await cache.aset({((), "k"): ("a secret", None)})
        values = store.values(f"clew:cache:{cache.owner.replace(':', '%3A')}:")
        (name,) = await values.list()
        assert b"a secret" not in (await values.get_data(name) or b"a secret")
        assert await cache.aget([((), "k")]) == {((), "k"): "a secret"}
        await values.put_data(name, b"foreign")
        with pytest.raises(clew.UnreadableError, match="another program"):
            await cache.aget([((), "k")])
        await cache.aclear()


class State(TypedDict):
    base: int
    found: Annotated[list[int], operator.add]


async def test_a_node_with_a_policy_is_run_once_in_every_process(store: Store, cache: ClewCache[Any]) -> None:
    runs: list[int] = []

    def work(state: State) -> dict[str, Any]:
        runs.append(state["base"])
        return {"found": [state["base"] * 2]}

    builder = StateGraph(State)
    builder.add_node("work", work, cache_policy=CachePolicy(ttl=60))
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    graph = builder.compile(cache=cache)
    # Another process has a cache of its own on the same store.
    async with ClewCache[Any](store, owner="another"), ClewCache[Any](store, owner=cache.owner) as other:
        elsewhere = builder.compile(cache=other)
        first = await graph.ainvoke({"base": 2, "found": []})
        assert first == await elsewhere.ainvoke({"base": 2, "found": []}) == {"base": 2, "found": [4]}
        assert await asyncio.to_thread(lambda: graph.invoke({"base": 2, "found": []})) == first
        assert runs == [2]
        await graph.ainvoke({"base": 3, "found": []})
        await graph.aclear_cache()
        await elsewhere.ainvoke({"base": 2, "found": []})
        assert runs == [2, 3, 2]
