"""Large namespaces on Redis 8 get an index of their vectors, which finds what an exact search finds, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from langgraph.store.base import PutOp

import clew
from clew import Store
from clew.adapters.langgraph import ClewStore
from clew.adapters.langgraph.memories import nearby
from clew.adapters.langgraph.memories.namespaces import Namespace
from clew.adapters.langgraph.memories.nearby import State, read_state
from clew.adapters.langgraph.memories.vectors import Vectors, pack_vector
from clew.ids import new_id
from clew.nearest import Nearest
from clew.records import Partition, PutDocument
from clew.testing import Recorder

from ...support import wait_until
from .store_support import Reference, embed, index_of, named

FROM = 40
Fetch = Callable[[Namespace], Awaitable[Mapping[str, Vectors]]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "FROM", FROM)


@pytest.fixture(params=["redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL of a server that has vector sets."""
    return url_of(request.param)


class Pair:
    """An owner's store, and LangGraph's own in memory with the same in it.

    Attributes:
        ours: the store.
        place: the partition of the vectors of the namespace that is used here.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.owner = f"ada-{new_id()}"
        self.reference = Reference(index=index_of())
        self.place = Partition(self.owner, "langgraph-store/vectors/n")
        self.ours = self.another()
        self.count = 0

    def another(self) -> ClewStore:
        """Return the store as a process has it that knows nothing yet."""
        return ClewStore(self.store, owner=self.owner, index=index_of())

    async def put(self, *keys: str, by: ClewStore | None = None) -> None:
        """Put items with new texts."""
        ops = []
        for key in keys:
            self.count += 1
            ops.append(PutOp(("n",), key, {"text": f"text {self.count}"}))
        await asyncio.gather((by or self.ours).abatch(ops), self.reference.abatch(ops))

    async def delete(self, *keys: str, by: ClewStore | None = None) -> None:
        """Delete items."""
        ops = [PutOp(("n",), key, None) for key in keys]
        await asyncio.gather((by or self.ours).abatch(ops), self.reference.abatch(ops))

    async def check(self, *, by: ClewStore | None = None, limit: int = 5) -> None:
        """Compare what some queries find."""
        for query in ("dogs", "cats", "text 7"):
            found = await (by or self.ours).asearch((), query=query, limit=limit)
            expected = await self.reference.asearch((), query=query, limit=limit)
            assert named(found) == named(expected)
            assert [item.score for item in found] == pytest.approx([item.score for item in expected], abs=1e-5)

    async def state(self) -> State | None:
        """Return the state of the index as it is stored."""
        return read_state((await self.store.backend.fetch(self.place, ["near"])).documents.get("near"))

    async def fill(self) -> State:
        """Put so many items that there is an index, and return its state when it is ready."""
        await self.put(*(f"k{at}" for at in range(FROM + 10)))
        await self.check()
        await self.ours._nearby.settle()
        state = await self.state()
        assert state is not None
        assert state.ready
        return state

    async def elements(self, index: str) -> int:
        """Return how many elements the index has, up to a thousand."""
        assert isinstance(self.store.backend, Nearest)
        found = await self.store.backend.find_nearest(self.place, index, bytes(4 * 8), count=1000)
        return -1 if found is None else len(found)


@pytest.fixture
async def pair(store: Store) -> AsyncIterator[Pair]:
    """A pair of stores of this test's own."""
    made = Pair(store)
    yield made
    await made.ours.aclose()


async def test_a_large_namespace_gets_an_index_and_is_searched_by_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await pair.put(*(f"k{at}" for at in range(FROM - 1)))
    await pair.check()
    await pair.ours._nearby.settle()
    assert await pair.state() is None
    state = await pair.fill()
    assert await pair.elements(state.index) == FROM + 10
    other = pair.another()
    await pair.check(by=other)
    for each in (pair.ours, other):
        fetched: list[Namespace] = []
        fetch = each._keeping.fetch

        def note(
            namespace: Namespace, fetched: list[Namespace] = fetched, fetch: Fetch = fetch
        ) -> Awaitable[Mapping[str, Vectors]]:
            fetched.append(namespace)
            return fetch(namespace)

        monkeypatch.setattr(each._keeping, "fetch", note)
        await pair.check(by=each)
        assert set(fetched) == {()}


@pytest.mark.parametrize("url", ["redis-8.2", "cluster-1"], indirect=True)
async def test_what_is_written_while_there_is_an_index_is_in_it_and_what_is_gone_is_not(pair: Pair) -> None:
    state = await pair.fill()
    dice, writers = random.Random(3), [pair.ours, pair.another(), pair.another()]
    keys_used = ["k" * 600, "#/0", *(f"k{at}" for at in range(FROM + 20))]
    for turn in range(12):
        keys = dice.sample(keys_used, 4)
        await (pair.put if turn % 3 else pair.delete)(*keys, by=writers[turn % 2])
        await pair.check(by=writers[dice.randrange(3)])
    there = len((await pair.store.backend.fetch(pair.place)).documents) - 1
    assert await pair.elements(state.index) == there
    assert await pair.state() == state


async def test_writes_while_an_index_is_made_are_in_it(pair: Pair) -> None:
    await pair.put(*(f"k{at}" for at in range(FROM + 60)))
    other = pair.another()
    await other.aput(("n",), "known", {"text": "x"}, index=False)  # it knows of no index
    await pair.check()
    for at in range(0, 30, 3):
        await pair.put(f"k{at}", f"new{at}", by=other)
        await pair.delete(f"k{at + 1}", by=other)
    await pair.ours._nearby.settle()
    state = await pair.state()
    assert state is not None
    assert state.ready
    there = len((await pair.store.backend.fetch(pair.place)).documents) - 1
    assert await pair.elements(state.index) == there
    await other.adelete(("n",), "known")
    await pair.check(by=pair.another())


async def test_two_processes_make_one_index(pair: Pair) -> None:
    await pair.put(*(f"k{at}" for at in range(FROM + 10)))
    several = [pair.another() for _ in range(3)]
    await asyncio.gather(*(pair.check(by=each) for each in several))
    await asyncio.gather(*(each._nearby.settle() for each in several))
    state = await pair.state()
    assert state is not None
    assert state.ready
    await asyncio.gather(*(pair.check(by=each) for each in several))
    assert await pair.elements(state.index) == FROM + 10


@pytest.mark.parametrize("how", ["lost", "dims", "stale"])
async def test_an_index_that_is_of_no_use_any_more_is_left_and_nothing_is_missed(pair: Pair, how: str) -> None:
    state = await pair.fill()
    assert isinstance(pair.store.backend, Nearest)
    if how == "lost":
        await pair.store.backend.end_nearest(pair.place, state.index)
        await pair.check()
        await pair.put("after")
        assert await pair.state() is None
    elif how == "dims":
        wider = ClewStore(pair.store, owner=pair.owner, index={"embed": lambda texts: [[1.0, 2.0]] * len(texts)})
        await wider.aput(("n",), "wide", {"text": "a"})
        assert (await pair.state(), await pair.elements(state.index)) == (None, -1)
        await wider.adelete(("n",), "wide")
    else:
        # A process that died while it made one: another begins anew.
        old = State(1, "dead", 8, state.begun_ms - nearby.STALE_MS)
        await pair.store.backend.put_nearest(pair.place, "dead", {"00" * 8 + "0/k1": bytes(32)}, begin=True)
        await pair.store.backend.commit(pair.place, [PutDocument("near", nearby._encode(old))])
        await pair.check()
        await pair.ours._nearby.settle()
        new = await pair.state()
        assert new is not None
        assert (new.ready, new.index in ("dead", state.index), await pair.elements("dead")) == (True, False, -1)
    await pair.check()
    await pair.ours._nearby.settle()
    await pair.check(by=pair.another())


async def test_elements_that_lead_nowhere_hide_nothing_and_go_in_time(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    state = await pair.fill()
    assert isinstance(pair.store.backend, Nearest)
    astray = {f"{at:016x}0/k{at}": pack_vector(vector) for at, vector in enumerate(embed([*map(str, range(60))]))}
    await pair.store.backend.put_nearest(pair.place, state.index, astray)
    for _ in range(2):
        await pair.check()
    assert await pair.elements(state.index) == FROM + 70
    monkeypatch.setattr(nearby, "GRACE_S", -1.0)
    for _ in range(4):
        await pair.check()
    assert await pair.elements(state.index) < FROM + 70
    await pair.check()


async def test_expired_items_leave_the_index_with_the_sweep(pair: Pair) -> None:
    state = await pair.fill()
    await pair.ours.abatch([PutOp(("n",), f"short{at}", {"text": f"s{at}"}, None, 0.003) for at in range(5)])
    assert await pair.elements(state.index) == FROM + 15

    async def over() -> bool:
        return await pair.ours.aget(("n",), "short4", refresh_ttl=False) is None

    await wait_until(over)
    await pair.check()
    assert await pair.ours.asweep_ttl() == 5
    assert await pair.elements(state.index) == FROM + 10


async def test_a_store_whose_server_lost_its_indexes_goes_on_without(pair: Pair) -> None:
    await pair.fill()
    without = ClewStore(Store(Recorder(pair.store.backend)), owner=pair.owner, index=index_of())  # type: ignore[arg-type]
    await pair.check(by=without)
    await pair.put("k1", by=without)
    assert await pair.state() is None
    await pair.check()


async def test_a_server_without_vector_sets_is_searched_exactly(url_of: Callable[..., str]) -> None:
    async with clew.connect(url_of("valkey-9.1")) as store:
        pair = Pair(store)
        await pair.put(*(f"k{at}" for at in range(FROM + 10)))
        await pair.check()
        await pair.ours._nearby.settle()
        assert await pair.state() is None
        await pair.check()
