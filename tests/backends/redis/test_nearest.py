"""Indexes of vectors on Redis 8: what is near is found, and an index lives and goes with its partition, never without it."""

from __future__ import annotations

import random
from array import array
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from clew.backends.redis import RedisBackend, open_backend
from clew.codec import make_entry
from clew.errors import GoneError, InvalidError, NotFoundError, UnsupportedError
from clew.nearest import Nearest
from clew.records import Append, Expire, PutDocument
from tests.conftest import Pool
from tests.keyspace import list_keys
from tests.support import fresh_partition, wait_until

PUT = PutDocument("a", b"1")


def vector(*numbers: float) -> bytes:
    """Return a vector as it is stored."""
    return array("f", numbers).tobytes()


@pytest.fixture(params=["redis-8.2", "cluster-1"])
async def backend(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> AsyncIterator[RedisBackend]:
    """An open store whose server has vector sets."""
    opened = await open_backend(url_of(request.param))
    yield opened
    await opened.aclose()


async def test_what_is_near_is_found_in_order_with_its_cosine(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [PUT])
    assert isinstance(backend, Nearest)
    assert await backend.knows_nearest()
    vectors = {"east": vector(1, 0), "north": vector(0, 2), "west": vector(-3, 0), "žluť/\n": vector(1, 1)}
    assert not await backend.put_nearest(partition, "x", vectors)
    assert await backend.find_nearest(partition, "x", vector(1, 0), count=10) is None
    assert await backend.put_nearest(partition, "x", vectors, begin=True)
    found = await backend.find_nearest(partition, "x", vector(2, 0), count=3)
    assert found is not None
    assert [element for element, _ in found] == ["east", "žluť/\n", "north"]
    assert [cosine for _, cosine in found] == pytest.approx([1, 0.5**0.5, 0], abs=1e-6)
    assert await backend.put_nearest(partition, "x", {"east": None, "north": vector(1, 0.01), "never": None})
    found = await backend.find_nearest(partition, "x", vector(2, 0), count=1)
    assert found is not None
    assert [element for element, _ in found] == ["north"]
    assert await backend.find_nearest(partition, "y", vector(2, 0), count=1) is None


@pytest.mark.parametrize("backend", ["redis-8.2"], indirect=True)
async def test_of_many_the_nearest_are_found_nearly_always(backend: RedisBackend) -> None:
    partition, dice = fresh_partition(), random.Random(7)
    await backend.commit(partition, [PUT])
    kept = {f"e{at}": [dice.gauss(0, 1) for _ in range(16)] for at in range(500)}
    assert await backend.put_nearest(partition, "x", {name: vector(*each) for name, each in kept.items()}, begin=True)
    hits = 0
    for _ in range(10):
        query = [dice.gauss(0, 1) for _ in range(16)]

        def cosine(name: str, query: list[float] = query) -> float:
            product = sum(a * b for a, b in zip(kept[name], query, strict=True))
            return float(product / (sum(a * a for a in kept[name]) * sum(a * a for a in query)) ** 0.5)

        found = await backend.find_nearest(partition, "x", vector(*query), count=10)
        assert found is not None
        hits += len({name for name, _ in found} & set(sorted(kept, key=cosine)[-10:]))
        assert [score for _, score in found] == pytest.approx([cosine(name) for name, _ in found], abs=1e-5)
    assert hits >= 95


async def test_an_index_goes_with_its_partition(backend: RedisBackend, pool: Pool, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["backend"]
    partition = fresh_partition()

    def keys() -> list[str]:
        return [key for key in list_keys(pool.get(kind), f"*{partition.name}*") if ":near:" in key]

    with pytest.raises(NotFoundError):
        await backend.put_nearest(partition, "x", {"e": vector(1)}, begin=True)
    await backend.commit(partition, [PUT, Append("log", make_entry("a", b"1"))])
    for index in "xy":
        assert await backend.put_nearest(partition, index, {"e": vector(1)}, begin=True)
    assert len(keys()) == 2
    await backend.end_nearest(partition, "y")
    await backend.end_nearest(partition, "never")
    assert len(keys()) == 1
    await backend.drop(partition)
    assert keys() == []
    for call in (
        backend.put_nearest(partition, "x", {"e": vector(1)}, begin=True),
        backend.find_nearest(partition, "x", vector(1), count=1),
        backend.end_nearest(partition, "x"),
    ):
        with pytest.raises(GoneError):
            await call


@pytest.mark.parametrize("backend", ["redis-8.2"], indirect=True)
@pytest.mark.parametrize("how", ["before", "commit", "expire", "later"])
async def test_an_index_expires_with_its_partition(
    backend: RedisBackend, pool: Pool, request: pytest.FixtureRequest, how: str
) -> None:
    running = pool.get(request.node.callspec.params["backend"])
    partition = fresh_partition()
    await backend.commit(partition, [PUT, Expire(150, "fixed")] if how == "before" else [PUT])
    await backend.put_nearest(partition, "x", {"e": vector(1)}, begin=True)
    if how == "commit":
        await backend.commit(partition, [PUT, Expire(150, "fixed")])
    elif how != "before":
        await backend.expire(partition, 150)
    if how == "later":
        await backend.commit(partition, [Expire(None)])
    ends = {ttl == -1 for key, ttl in list_keys(running, f"*{partition.name}*").items()}
    assert ends == {how == "later"}
    if how != "later":
        await wait_until(lambda: not list_keys(running, f"*{partition.name}*"))
        await backend.commit(partition, [PUT])
        assert await backend.find_nearest(partition, "x", vector(1), count=1) is None
        assert not await backend.put_nearest(partition, "x", {"e": vector(1)})


@pytest.mark.parametrize("backend", ["redis-8.2"], indirect=True)
async def test_an_index_that_lost_its_last_element_is_not_there(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [PUT])
    assert await backend.put_nearest(partition, "x", {"e": vector(1)}, begin=True)
    assert await backend.put_nearest(partition, "x", {"e": None, "f": None})
    assert not await backend.put_nearest(partition, "x", {"e": vector(1)})


@pytest.mark.parametrize("backend", ["redis-8.2"], indirect=True)
async def test_what_no_index_can_hold_is_refused(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [PUT])
    wrong: list[Any] = [b"", b"123", "text"]
    for each in wrong:
        with pytest.raises(InvalidError):
            await backend.put_nearest(partition, "x", {"e": each}, begin=True)
        with pytest.raises(InvalidError):
            await backend.find_nearest(partition, "x", each, count=1)
    for count in (0, 1001, True):
        with pytest.raises(InvalidError):
            await backend.find_nearest(partition, "x", vector(1), count=count)
    with pytest.raises(InvalidError):
        await backend.put_nearest(partition, "", {"e": vector(1)}, begin=True)
    with pytest.raises(InvalidError):
        await backend.commit(partition, [Append("*nearest/x", make_entry("a", b"1"))])


@pytest.mark.parametrize("kind", ["redis-6.2", "valkey-9.1"])
async def test_a_server_without_vector_sets_says_so(kind: str, url_of: Callable[..., str]) -> None:
    backend = await open_backend(url_of(kind))
    try:
        assert not await backend.knows_nearest()
        with pytest.raises(UnsupportedError):
            await backend.find_nearest(fresh_partition(), "x", vector(1), count=1)
    finally:
        await backend.aclose()
