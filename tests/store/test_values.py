"""Values: JSON and nothing else, keys to the letter, patterns that stay behind their prefix, and what is refused."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

import clew
from clew import store as stores
from clew.backend import Values
from clew.testing import FixedClock


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "🧵", [], {}, {"a": [1, {"b": None}]}, 2**80], ids=repr)
async def test_every_json_value_comes_back(store: clew.Store, value: Any) -> None:
    values = store.values("v:")
    await values.put("k", value)
    found = await values.get("k")
    assert found is not None
    assert found.value == value


async def test_other_programs_read_and_write_the_same_bytes(store: clew.Store) -> None:
    assert isinstance(store.backend, Values)
    await store.values("v:").put("k", {"a": 1})
    assert await store.backend.get_value("v:k") == b'{"a":1}'

    await store.backend.put_value("v:k", b' {"b": [2]}\n')
    found = await store.values("v:").get("k")
    assert found is not None
    assert found.value == {"b": [2]}


async def test_what_is_no_json_is_unreadable_and_can_be_deleted(store: clew.Store) -> None:
    assert isinstance(store.backend, Values)
    values = store.values("v:")
    for data in (b"", b"{", b"\xff"):
        await store.backend.put_value("v:k", data)
        with pytest.raises(clew.UnreadableError):
            await values.get("k")
    assert await values.delete("k")


async def test_of_many_who_create_a_value_one_does(store: clew.Store) -> None:
    values = store.values("v:")
    done = await asyncio.gather(*(values.create("k", n) for n in range(20)))
    assert done.count(True) == 1
    found = await values.get("k")
    assert found is not None
    assert found.value == done.index(True)


async def test_a_put_without_a_time_takes_the_old_time_away(store: clew.Store) -> None:
    values = store.values("v:")
    await values.put("k", 1, ttl=60)
    await values.put("k", 2)
    assert await values.get("k") == clew.Value("k", 2, ttl_ms=None)


async def test_a_value_vanishes_and_its_key_is_free(plain: clew.Store, clock: FixedClock) -> None:
    values = plain.values("v:")
    await values.put("k", 1, ttl=1.5)
    clock.advance(1.4)
    assert await values.get("k") == clew.Value("k", 1, ttl_ms=100)
    assert not await values.create("k", 2)
    clock.advance(0.1)
    assert await values.get("k") is None
    assert list(await values.list()) == []
    assert await values.create("k", 2)


async def keys(values: stores.Values, pattern: str = "*", limit: int = 3) -> list[str]:
    """Return all keys that match, read in pages, each one once."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await values.list(pattern, limit=limit, cursor=cursor)
        found += page
        if not page.has_more:
            return sorted(set(found))
        cursor = page.cursor


@pytest.mark.parametrize("prefix", ["v:", "a*b:", "[ab]:", "a\\b:", "?:", "^-:", "ø{}:", "]["])
async def test_a_pattern_stays_behind_its_literal_prefix(store: clew.Store, prefix: str) -> None:
    for other in ("v:", "axb:", "a:", "b:", "ab:", "x:", "-:", "ø:"):
        await store.values(other).put("other", 1)
    values = store.values(prefix)
    for key in ("one", "two", "three", "four", "o*e"):
        await values.put(key, 1)

    assert set(await keys(values)) - {"other"} == {"four", "o*e", "one", "three", "two"}
    assert ("other" in await keys(values)) == (prefix == "v:")
    assert await keys(values, "t*") == ["three", "two"]
    assert await keys(values, "[ft]*") == ["four", "three", "two"]
    assert await keys(values, "o?e") == ["o*e", "one"]
    assert await keys(values, r"o\*e") == ["o*e"]
    assert await keys(values, "nothing*") == []


async def test_a_long_list_comes_whole_in_pages(store: clew.Store) -> None:
    values = store.values("v:")
    await asyncio.gather(*(values.put(f"{n:03}", n) for n in range(150)))
    assert await keys(values, limit=40) == [f"{n:03}" for n in range(150)]


BAD: list[tuple[Any, str]] = [
    (math.nan, "nan"),
    ({"a": [math.inf]}, "inf"),
    ({1: 2}, "strings for keys"),
    (b"bytes", "bytes"),
    (object(), "object"),
    ("\ud800", "surrogate"),
    ("x" * (8 * 1024 * 1024), "at most"),
]


@pytest.mark.parametrize(("value", "said"), BAD, ids=range(len(BAD)))
async def test_what_is_no_json_is_refused(plain: clew.Store, value: Any, said: str) -> None:
    values = plain.values("v:")
    with pytest.raises(clew.InvalidError, match=said):
        await values.put("k", value)
    assert await values.get("k") is None


@pytest.mark.parametrize("key", ["", None, b"k", "\ud800", "x" * 4_095])
async def test_a_bad_key_is_refused(plain: clew.Store, key: Any) -> None:
    values = plain.values("v:")
    for asked in (values.get(key), values.put(key, 1), values.create(key, 1), values.delete(key)):
        with pytest.raises(clew.InvalidError, match="key"):
            await asked


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"limit": 1_001}, {"limit": True}, {"pattern": ""}, {"pattern": None}], ids=str
)
async def test_a_bad_list_is_refused(plain: clew.Store, options: dict[str, Any]) -> None:
    with pytest.raises(clew.InvalidError):
        await plain.values("v:").list(**options)


@pytest.mark.parametrize("ttl", [0, -1, 1e11, math.nan, True, "1"])
async def test_a_bad_time_is_refused(plain: clew.Store, ttl: Any) -> None:
    values = plain.values("v:")
    for asked in (values.put("k", 1, ttl=ttl), values.create("k", 1, ttl=ttl)):
        with pytest.raises(clew.InvalidError, match="seconds"):
            await asked
    assert await values.get("k") is None
