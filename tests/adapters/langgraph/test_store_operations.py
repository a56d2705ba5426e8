"""The store does what LangGraph's own does: random operations give the same on both, on both engines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import pytest
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

import clew
from clew import Store
from clew.adapters.langgraph import ClewStore
from clew.ids import new_id

from .store_support import Reference, index_of, named

LABELS = ["a", "b", "ab", "a/b", "b:", "*", "ä", " ", "%2F", "users"]
KEYS = ["k", "l", "k/l", "", "*", "ключ", "k.l", "m/k"]
NUMBERS = [-3, 0, 1, 2.5, 7, 10**17]


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL that is this test's own, on each engine in turn."""
    return url_of(request.param)


class Dice:
    """Makes operations, some of which meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def namespace(self, least: int = 1) -> tuple[str, ...]:
        labels = self._random.choices(LABELS, [9, 9, *[1] * (len(LABELS) - 2)], k=self._random.randint(least, 3))
        return tuple(labels)

    def key(self) -> str:
        return self._random.choices(KEYS, [9, 9, *[1] * (len(KEYS) - 2)])[0]

    def batch(self) -> list[Op]:
        return [self.op() for _ in range(self._random.choice((1, 1, 2, 5)))]

    def op(self) -> Op:
        pick = self._random.random()
        if pick < 0.45:
            return self.put()
        if pick < 0.6:
            return GetOp(self.namespace(), self.key())
        if pick < 0.85:
            return SearchOp(self.namespace(0), self.filter(), limit=1000, query=self._random.choice((None, "dogs", "cats")))
        return self.listing()

    def put(self) -> PutOp:
        if self._random.random() < 0.3:
            return PutOp(self.namespace(), self.key(), None)
        self._count += 1
        value: dict[str, Any] = {"number": self._random.choice(NUMBERS), "at": {"x": self._random.choice("xy"), "n": None}}
        value |= {"tags": self._random.choice(([], ["t"], ["t", "u"])), "nobody": f"tells {self._count}"}
        if self._random.random() < 0.7:
            value["text"] = f"text {self._count}"
        index = self._random.choice((None, None, None, False, ["nobody"], ["text", "nobody"], ["none.such"]))
        return PutOp(self.namespace(), self.key(), value, index)  # type: ignore[arg-type]  # the choice widens False to bool

    def filter(self) -> dict[str, Any] | None:
        number = self._random.choice(NUMBERS)
        operator = self._random.choice(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"))
        filters: list[dict[str, Any] | None] = [
            {"number": {operator: number}},
            {"number": {"$gt": -1, operator: number}},
            {"number": number},
            {"at": {"x": "x"}, "tags": ["t"]},
            {"at": {"n": None}, "missing": None},
            {"tags": {"$ne": ["t"]}},
            {"at": {"x": {"$eq": "y"}}},
            {"tags": "t"},
        ]
        return self._random.choice([None, None, None, *filters])

    def listing(self) -> ListNamespacesOp:
        conditions = []
        for kind in ("prefix", "suffix", "prefix"):
            if self._random.random() < 0.35:
                path = tuple("*" if self._random.random() < 0.3 else label for label in self.namespace())
                conditions.append(MatchCondition(cast(Any, kind), path))
        depth = self._random.choice((None, None, 1, 2))
        return ListNamespacesOp(tuple(conditions), depth, self._random.choice((100, 2, 0)), self._random.choice((0, 0, 1)))


@pytest.mark.parametrize(("url", "seed"), [("sqlite", 1), ("sqlite", 2), ("redis-8.2", 3), ("cluster-1", 4)], indirect=["url"])
async def test_random_batches_give_what_langgraphs_own_store_gives(store: Store, seed: int) -> None:
    owner, dice = f"ada-{new_id()}", Dice(seed)
    reference = Reference(index=index_of())
    # Two of one owner, which know different things: what one wrote the other finds, and writes over.
    ours = [ClewStore(store, owner=owner, index=index_of()) for _ in range(2)]
    for turn in range(60):
        ops = dice.batch()
        expected = await reference.abatch(ops)
        found = await ours[turn % 2].abatch(ops)
        for op, one, other in zip(ops, found, expected, strict=True):
            _compare(op, one, other)


def _compare(op: Op, found: Result, expected: Result) -> None:
    if isinstance(op, SearchOp):
        ours, theirs = cast(list[SearchItem], found), cast(list[SearchItem], expected)
        scored = [item for item in ours if item.score is not None]
        assert named(scored) == named(item for item in theirs if item.score is not None), op
        assert [item.score for item in scored] == pytest.approx([item.score for item in theirs[: len(scored)]], abs=1e-5)
        assert [item.score is None for item in ours] == sorted(item.score is None for item in ours)
        both = {(item.namespace, item.key): item.value for item in ours}
        assert (len(ours), both) == (len(theirs), {(item.namespace, item.key): item.value for item in theirs}), op
    elif isinstance(op, GetOp):
        one, other = cast(Item | None, found), cast(Item | None, expected)
        assert (one is None) == (other is None), op
        if one is not None and other is not None:
            assert (one.value, one.key, one.namespace) == (other.value, other.key, other.namespace)
            assert (one.created_at == one.updated_at) == (other.created_at == other.updated_at)
    else:
        assert found == expected, op


async def test_pages_make_up_the_whole_and_the_newest_write_comes_first(store: Store) -> None:
    ours = ClewStore(store, owner=f"ada-{new_id()}", index=index_of())
    for at in range(7):
        await ours.aput(("n", str(at % 3)), f"k{at}", {"text": f"t{at}"}, index=None if at % 2 else False)
    await ours.aput(("n", "0"), "k0", {"text": "again"}, index=False)
    order = [f"k{at}" for at in (0, 6, 5, 4, 3, 2, 1)]
    whole = await ours.asearch(("n",), limit=100)
    assert [item.key for item in whole] == order
    for query in (None, "what"):
        whole = await ours.asearch(("n",), query=query, limit=100)
        pages = [await ours.asearch(("n",), query=query, limit=2, offset=at) for at in range(0, 8, 2)]
        assert [named(page) for page in pages] == [named(whole[at : at + 2]) for at in range(0, 8, 2)]
    assert [item.score is None for item in whole] == [False] * 3 + [True] * 4


async def test_a_thousand_puts_at_once_are_all_there_once(store: Store) -> None:
    ours = ClewStore(store, owner=f"ada-{new_id()}")
    await asyncio.gather(*(ours.aput((f"n{at % 3}",), f"k{at % 500}", {"at": at}) for at in range(1000)))
    found = await ours.asearch((), limit=2000)
    assert len(found) == len(set(named(found))) == 1000
    last = {(f"n{at % 3}", f"k{at % 500}"): at for at in range(1000)}
    assert {(item.namespace[0], item.key): item.value["at"] for item in found} == last


async def test_of_many_writers_of_one_key_the_last_one_stays(store: Store) -> None:
    owner = f"ada-{new_id()}"
    several = [ClewStore(store, owner=owner, index=index_of()) for _ in range(5)]
    await several[0].aput(("n",), "k", {"text": "-1"})
    made = await several[0].aget(("n",), "k")
    await asyncio.gather(*(each.aput(("n",), "k", {"text": f"{at}"}) for at, each in enumerate(several * 5)))
    items = [await each.aget(("n",), "k") for each in several]
    assert made is not None
    assert all(item is not None and item == items[0] and item.created_at == made.created_at for item in items)
    # Its vectors are those of the value that stayed, whoever's were written last.
    (found,) = await several[1].asearch(("n",), query=items[0].value["text"] if items[0] else "")
    assert found.score == pytest.approx(1, abs=1e-6)


async def test_another_owner_sees_nothing_of_it(store: Store) -> None:
    mark = new_id()
    ours, theirs = ClewStore(store, owner=f"a-{mark}"), ClewStore(store, owner=f"a-{mark}/")
    await ours.aput(("n",), "k", {"at": 1})
    assert await theirs.aget(("n",), "k") is None
    assert await theirs.asearch(()) == []
    assert await theirs.alist_namespaces() == []
    await theirs.adelete(("n",), "k")
    assert await ours.aget(("n",), "k") is not None
    assert list(await store.threads.list(f"a-{mark}")) == []
    with pytest.raises(clew.NotFoundError):
        await store.threads.get(clew.Ref(f"a-{mark}", "langgraph-store/items/n"))


@pytest.mark.parametrize("url", ["sqlite", "redis-8.2", "cluster-1"], indirect=True)
def test_a_caller_that_cannot_await_gets_the_same(url: str) -> None:
    async def both() -> None:
        async with clew.connect(url) as store:
            ours = ClewStore(store, owner=f"ada-{new_id()}")
            await asyncio.to_thread(ours.put, ("n", "m"), "k", {"at": 1})
            assert await asyncio.to_thread(ours.get, ("n", "m"), "k") == await ours.aget(("n", "m"), "k") is not None
            assert named(await asyncio.to_thread(ours.search, ("n",))) == [(("n", "m"), "k")]
            assert await asyncio.to_thread(ours.list_namespaces, prefix=("n",)) == [("n", "m")]
            await asyncio.to_thread(ours.delete, ("n", "m"), "k")
            assert await ours.aget(("n", "m"), "k") is None

    asyncio.run(both())


def test_a_store_opens_the_url_that_it_is_given_and_closes_what_it_opened(url: str) -> None:
    owner = f"ada-{new_id()}"
    with ClewStore(url, owner=owner) as ours:
        ours.put(("n",), "k", {"at": 1})
        ours.for_owner(f"{owner}-2").put(("n",), "k", {"at": 2})
        ours.for_owner(owner).close()
        assert [item.value for item in ours.search(())] == [{"at": 1}]
    with pytest.raises(clew.ClosedError):
        ours.get(("n",), "k")

    async def again() -> None:
        async with ClewStore(url, owner=owner) as ours, ClewStore(url, owner=f"{owner}-2") as other:
            assert await ours.aget(("n",), "k") is not None
            assert [item.value for item in await other.asearch(())] == [{"at": 2}]

    asyncio.run(again())
