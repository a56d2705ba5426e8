"""Names, values and vectors at their limits, and what an operation costs in trips."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, TypedDict, TypeVar, cast

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)

import clew
import servers
from bench.chatkit.trips import count_trips
from clew import InvalidError, Store
from clew.adapters.langgraph import ClewStore
from clew.adapters.langgraph.memories import keeping, vectors
from clew.adapters.langgraph.memories.stored import Meta, encode_meta
from clew.ids import new_id
from clew.limits import MAX_DATA_BYTES
from clew.records import Commit, Partition, PutDocument, Snapshot
from clew.testing import Recorder, WholeBackend

from .store_support import DIMS, embed, embed_later, index_of, named

T = TypeVar("T")

ODD = ["a", "b", "a/b", "a b", "a:b", "*", "%2E", "\n", "{a}", "名前", "🧶", "a" * 300, "b" * 600, "b" * 601, "n", "items"]


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL that is this test's own, on each engine in turn."""
    return url_of(request.param)


@pytest.fixture
def ours(store: Store) -> ClewStore:
    """A store of an owner's own, with an index."""
    return ClewStore(store, owner=f"ada-{new_id()}", index=index_of())


async def test_no_two_names_meet_whatever_characters_they_have(store: Store, ours: ClewStore) -> None:
    namespaces = [*((one,) for one in ODD), *product(ODD[:4] + ODD[11:12], repeat=2)]
    puts = [PutOp(namespace, key, {"text": f"{at}/{key}"}) for at, namespace in enumerate(namespaces) for key in ODD]
    await ours.abatch(puts)
    other = ClewStore(store, owner=ours.owner, index=index_of())
    found = await other.abatch([GetOp(put.namespace, put.key) for put in puts])
    assert [item.value if item else None for item in found] == [put.value for put in puts]  # type: ignore[union-attr]
    assert await other.alist_namespaces(limit=1000) == sorted(namespaces)
    for namespace in namespaces[:5]:
        below = [each for each in namespaces if each[: len(namespace)] == namespace]
        found_below = await other.asearch(namespace, query="text", limit=10_000)
        assert sorted(named(found_below)) == sorted((each, key) for each in below for key in ODD)
        if "*" not in namespace:
            assert await other.alist_namespaces(prefix=namespace, limit=1000) == sorted(below)


@pytest.mark.parametrize("label", ["a.b", "", "a\0b", 7])
async def test_a_label_that_no_namespace_has_is_refused_in_every_operation(ours: ClewStore, label: Any) -> None:
    listing = ListNamespacesOp((MatchCondition("prefix", ("a", label)),))
    for op in (GetOp(("a", label), "k"), PutOp(("a", label), "k", {}), SearchOp(("a", label)), listing):
        with pytest.raises(InvalidNamespaceError):
            await ours.abatch([PutOp(("fine",), "k", {"text": "a"}), op])
    assert await ours.alist_namespaces() == []


@pytest.mark.parametrize(
    "value",
    [
        {"at": datetime.now(UTC)},
        {"bytes": b"a"},
        {"nan": math.nan},
        {1: "a"},
        {"lone": "\ud800"},
        {"object": object()},
        {"large": "a" * MAX_DATA_BYTES},
        ["no object"],
        "no object",
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else type(value).__name__,
)
async def test_a_value_that_is_no_json_object_is_refused_and_nothing_of_its_batch_is_written(ours: ClewStore, value: Any) -> None:
    with pytest.raises(InvalidError):
        await ours.abatch([PutOp(("n",), "fine", {"text": "a"}), PutOp(("n",), "k", value)])
    assert await ours.asearch(()) == []


async def test_what_else_is_wrong_is_refused(store: Store, ours: ClewStore) -> None:
    wrong: list[Any] = [
        PutOp(("n",), "k", {}, None, 0),
        PutOp(("n",), "k", {}, None, math.inf),
        PutOp(("n",), "k", {}, None, True),
        PutOp(("n",), 7, {}),  # type: ignore[arg-type]
        GetOp(("n",), "\ud800"),
        SearchOp((), {"a": {"$in": [1]}}),
        SearchOp((), ["a"]),  # type: ignore[arg-type]
        ListNamespacesOp((MatchCondition("infix", ("a",)),)),  # type: ignore[arg-type]
        "get",
    ]
    for op in wrong:
        with pytest.raises(InvalidError):
            await ours.abatch([op])
    with pytest.raises(InvalidError):
        ClewStore(store, owner="")
    with pytest.raises(InvalidError):
        ClewStore(store, owner="ada", index={"dims": 3})


async def test_what_cannot_be_compared_is_not_found_by_comparing(ours: ClewStore) -> None:
    for key, value in {"none": None, "text": "x", "list": [1], "number": 5, "digits": "7"}.items():
        await ours.aput(("n",), key, {"a": value})
    await ours.aput(("n",), "without", {})
    assert sorted(item.key for item in await ours.asearch((), filter={"a": {"$gt": 4}})) == ["digits", "number"]


async def test_a_damaged_item_is_an_error_and_not_a_missing_one(store: Store, ours: ClewStore) -> None:
    await ours.aput(("n",), "k", {"text": "a"})
    place = Partition(ours.owner, "langgraph-store/items/n")
    for meta, value in ((b"\xc1", b"{}"), (encode_meta([2, 1, 1]), b"{}"), (encode_meta(Meta(1, 1, 1)), b"[1]")):
        await store.backend.commit(place, [PutDocument("m/k", meta), PutDocument("i/k", value)])
        with pytest.raises(clew.UnreadableError):
            await ours.aget(("n",), "k")
        with pytest.raises(clew.UnreadableError):
            await ours.asearch(("n",))


# -- vectors ------------------------------------------------------------------------------------------------------------------


async def test_vectors_are_of_the_fields_that_are_named_and_the_best_one_counts(store: Store) -> None:
    ours = ClewStore(store, owner=f"ada-{new_id()}", index=index_of(["$", "name", "parts[*].text"]))
    value = {"name": "Ada", "parts": [{"text": "one"}, {"text": "two"}], "more": "three"}
    await ours.aput(("n",), "all", value)
    await ours.aput(("n",), "some", value, index=["more"])
    for query, best in (("two", "all"), ("Ada", "all"), ("three", "some")):
        found = await ours.asearch(("n",), query=query)
        assert found[0].key == best
        assert (found[0].score or 0) > 1 - 1e-6 > 0.99 > (found[1].score or 0)


@pytest.mark.parametrize("kind", ["async", "embeddings", "plain"])
async def test_whatever_embeds_is_taken(store: Store, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "plain":
        monkeypatch.setattr(vectors, "has_numpy", lambda: False)
    how: dict[str, Any] = {"async": embed_later, "embeddings": DeterministicFakeEmbedding(size=DIMS), "plain": embed}
    ours = ClewStore(store, owner=f"ada-{new_id()}", index={"embed": how[kind]})
    await ours.abatch([PutOp(("n",), key, {"text": key}) for key in "abc"])
    found = await ours.asearch(("n",), query='{"text": "b"}')
    assert (len(found), found[0].key) == (3, "b")
    assert found[0].score == pytest.approx(1, abs=1e-6)


def test_cosines_are_the_same_with_numpy_and_without() -> None:
    query = embed(["query"])[0]
    kept = [vectors.read_vectors(vectors.document_of(1, vectors.pack_vectors(embed([*"abcdefghi"]))))] * 2
    nothing = vectors.Vectors(1, DIMS, bytes(4 * DIMS))
    some = [*(each for each in kept if each is not None), nothing]
    assert vectors.cosines_quick(query, some) == pytest.approx(vectors.cosines_plain(query, some), abs=1e-6)
    assert vectors.cosines_plain(query, some)[-1] == 0 == vectors.cosines_quick([0.0] * DIMS, some)[0]
    assert len(some) == 3


@pytest.mark.parametrize("vector", [[1.0], [math.nan] * DIMS, []])
async def test_a_vector_that_cannot_be_kept_is_refused_and_the_item_with_it(store: Store, vector: list[float]) -> None:
    ours = ClewStore(store, owner=f"ada-{new_id()}", index={"dims": DIMS, "embed": lambda texts: [vector for _ in texts]})
    with pytest.raises(InvalidError):
        await ours.aput(("n",), "k", {"text": "a"})
    assert await ours.asearch(()) == []


async def test_an_item_without_its_own_vectors_is_found_without_a_score(store: Store, ours: ClewStore) -> None:
    await ours.aput(("n",), "k", {"text": "a"})
    await ClewStore(store, owner=ours.owner).aput(("n",), "k", {"text": "b"})
    (found,) = await ours.asearch((), query="a")
    assert (found.value, found.score) == ({"text": "b"}, None)
    wider = ClewStore(store, owner=ours.owner, index={"embed": DeterministicFakeEmbedding(size=3)})
    await ours.aput(("n",), "k", {"text": "c"})
    assert [item.score for item in await wider.asearch((), query="a")] == [None]


async def test_a_deleted_item_leaves_no_vector(store: Store, ours: ClewStore) -> None:
    await ours.aput(("n",), "k", {"text": "a"})
    await ClewStore(store, owner=ours.owner).adelete(("n",), "k")
    for kind in ("items", "vectors"):
        found = await store.backend.fetch(Partition(ours.owner, f"langgraph-store/{kind}/n"))
        assert [key for key in found.documents if key != "ends"] == []
    await ours.adelete(("never",), "k")
    assert await store.backend.revision(Partition(ours.owner, "langgraph-store/items/never")) == 0


async def test_many_vectors_are_fetched_once_and_never_older_than_they_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LEAST_BYTES", 10 * 4 * DIMS)
    monkeypatch.setattr(keeping, "MOST_BYTES", 25 * 4 * DIMS)
    seen = Fetched(cast(WholeBackend, store.backend))
    owner = f"ada-{new_id()}"
    ours = ClewStore(Store(cast(Any, seen)), owner=owner, index=index_of())
    other = ClewStore(store, owner=owner, index=index_of())

    async def search(namespace: str) -> int:
        seen.whole = 0
        await ours.asearch((namespace,), query="what", limit=30)
        return seen.whole

    for namespace, count in (("small", 9), ("first", 12), ("second", 12), ("large", 26)):
        await other.abatch([PutOp((namespace,), f"k{at}", {"text": f"{at}"}) for at in range(count)])
    names = ("small", "first", "second", "large")
    again = {name: (await search(name), await search(name)) for name in names}
    assert again == {"small": (1, 1), "first": (1, 0), "second": (1, 0), "large": (1, 1)}
    assert [await search(name) for name in ("first", "second")] == [0, 0]
    await other.aput(("first",), "k3", {"text": "what"})
    (best, *_) = await ours.asearch(("first",), query="what")
    assert (best.key, best.value) == ("k3", {"text": "what"})
    await other.abatch([PutOp(("second",), "more", {"text": "a"}), PutOp(("second",), "k1", None)])
    assert [await search(name) for name in ("second", "first", "second")] == [1, 0, 0]
    await other.abatch([PutOp(("third",), f"k{at}", {"text": f"{at}"}) for at in range(12)])
    assert [await search(name) for name in ("third", "second", "first")] == [1, 0, 1]


class Fetched(Recorder):
    """A backend that counts how often a partition of vectors is fetched as a whole."""

    def __init__(self, inner: WholeBackend) -> None:
        super().__init__(inner)
        self.whole = 0

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        if keys is None and "vectors" in partition.name:
            self.whole += 1
        return await super().fetch(partition, keys)


# -- in a graph, and what it costs --------------------------------------------------------------------------------------------


class State(TypedDict):
    """What the graph below passes on."""

    name: str
    known: list[str]


async def test_a_graph_remembers_across_threads(ours: ClewStore) -> None:
    async def remember(state: State, *, store: BaseStore) -> dict[str, Any]:
        await store.aput(("people",), state["name"], {"text": state["name"]})
        return {"known": [item.key for item in await store.asearch(("people",), query=state["name"])]}

    graph = StateGraph(State)
    graph.add_node("remember", remember)
    graph.add_edge(START, "remember")
    graph.add_edge("remember", END)
    compiled = graph.compile(store=ours)
    assert (await compiled.ainvoke({"name": "Ada", "known": []}))["known"] == ["Ada"]
    assert (await compiled.ainvoke({"name": "Bob", "known": []}))["known"] == ["Bob", "Ada"]


def test_a_synchronous_graph_remembers_too(url: str) -> None:
    def remember(state: State, *, store: BaseStore) -> dict[str, Any]:
        store.put(("people",), state["name"], {"text": state["name"]})
        return {"known": [item.key for item in store.search(("people",), query=state["name"])]}

    with ClewStore(url, owner=f"ada-{new_id()}", index=index_of()) as ours:
        graph = StateGraph(State)
        graph.add_node("remember", remember)
        graph.add_edge(START, "remember")
        graph.add_edge("remember", END)
        compiled = graph.compile(store=ours)
        assert compiled.invoke({"name": "Ada", "known": []})["known"] == ["Ada"]
        assert compiled.invoke({"name": "Bob", "known": []})["known"] == ["Bob", "Ada"]


class Waves(Recorder):
    """A backend that holds every call back until nobody asks for more, then lets all go: how often is how many trips it took."""

    count = 0
    _under_way = 0
    _gate: asyncio.Future[None] | None = None

    async def commit(self, *arguments: Any, **named: Any) -> Commit:
        return await self._pass(super().commit(*arguments, **named))

    async def fetch(self, *arguments: Any) -> Snapshot:
        return await self._pass(super().fetch(*arguments))

    async def _pass(self, call: Coroutine[Any, Any, T]) -> T:
        if self._gate is None:
            self._gate = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(self._open, 50)
        await self._gate
        self._under_way += 1
        try:
            return await call
        finally:
            self._under_way -= 1

    def _open(self, turns: int) -> None:
        if turns or self._under_way:
            asyncio.get_running_loop().call_soon(self._open, max(turns - 1, 0) if not self._under_way else 50)
            return
        gate, self._gate = self._gate, None
        self.count += 1
        if gate is not None:
            gate.set_result(None)


async def test_an_operation_is_as_many_trips_as_it_says() -> None:
    async with clew.connect("memory://") as store:
        waves = Waves(cast(WholeBackend, store.backend))
        index: IndexConfig = {"dims": DIMS, "embed": embed_later}
        other, ours = (ClewStore(each, owner="ada", index=index) for each in (store, Store(cast(Any, waves))))
        for at in range(5):
            await other.aput(("n", "m", "o"), f"k{at}", {"text": "a"})
            await other.aput(("n",), f"k{at}", {"text": "a"}, ttl=10)
        batch: list[Op] = [GetOp(("n",), "k0", False), *(PutOp(("n", f"p{at}"), "k", {"text": f"{at}"}) for at in range(5))]
        calls: dict[str, tuple[Callable[[], Any], int]] = {
            "a get": (lambda: ours.aget(("n", "m", "o"), "k0"), 1),
            "a put in a namespace that it never wrote": (lambda: ours.aput(("n", "m", "o"), "new", {"text": "a"}), 2),
            "a put after it": (lambda: ours.aput(("n", "m", "o"), "newer", {"text": "a"}), 1),
            "a put of what it read": (lambda: ours.aput(("n", "m", "o"), "k0", {"text": "b"}), 1),
            "a put of what it never saw": (lambda: ours.aput(("n", "m", "o"), "k1", {"text": "b"}), 4),
            "a deletion of what it never saw": (lambda: ours.adelete(("n", "m", "o"), "k4"), 2),
            "a search of one namespace": (lambda: ours.asearch(("n", "m", "o"), query="a"), 1),
            "a search of three levels": (lambda: ours.asearch(("n",), query="a", limit=3), 3),
            "a batch in six namespaces": (lambda: ours.abatch(batch), 2),
            "the same again": (lambda: ours.abatch(batch), 1),
            "a list of six namespaces on three levels": (lambda: ours.alist_namespaces(prefix=("n",)), 4),
            "a hundred gets": (lambda: asyncio.gather(*(ours.aget(("n",), f"k{at}") for at in range(100))), 1),
            "a hundred puts": (lambda: asyncio.gather(*(ours.aput(("n", "m", "o"), f"p{at}", {}) for at in range(100))), 1),
            "a deletion": (lambda: ours.adelete(("n", "m", "o"), "k0"), 1),
        }
        counted = {}
        for what, (call, _) in calls.items():
            waves.count = 0
            await call()
            counted[what] = waves.count
        assert counted == {what: most for what, (_, most) in calls.items()}


async def test_a_get_and_a_put_are_one_read_of_the_servers_socket(own_server: Callable[..., servers.Server]) -> None:
    server = own_server("valkey-9.1")
    async with clew.connect(server.url) as store:
        ours = ClewStore(store, owner="ada")
        await ours.aput(("n", "m"), "k", {"text": "a"})
        await ours.aget(("n", "m"), "k")
        calls: list[Callable[[], Any]] = [
            lambda: ours.aget(("n", "m"), "k"),
            lambda: ours.aput(("n", "m"), "k", {"text": "b"}),
            lambda: asyncio.gather(*(ours.aput(("n", "m"), f"k{at}", {"text": "b"}) for at in range(20))),
        ]
        assert [await count_trips(server, call) for call in calls] == [1, 1, 1]
