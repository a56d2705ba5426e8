"""A page between any two positions holds what stands there, also where a cursor lies before the log's base or beyond its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clew.codec import make_entry
from clew.records import Append, Remove, Trim, Truncate
from clew.schemes import open_backend
from tests.support import fresh_partition

LOWS = (None, 0, 1, 5, 30, 78, 79, 80, 95, 99, 139, 200)
HIGHS = (None, 1, 2, 10, 50, 78, 80, 81, 90, 100, 101, 120, 141, 500)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_page_between_two_positions_holds_what_stands_there(url_of: Callable[..., str], newest_first: bool) -> None:
    backend, partition = await open_backend(url_of("valkey-9.1")), fresh_partition()
    live: dict[int, str] = {}

    async def append(first: int, count: int) -> None:
        ids = [f"id{n}" for n in range(first, first + count)]
        done = await backend.commit(partition, [Append("items", make_entry(id, b"")) for id in ids])
        live.update(zip(done.outcomes, ids, strict=True))

    async def check() -> None:
        for low in LOWS:
            for high in HIGHS:
                standing = [p for p in sorted(live, reverse=newest_first) if (low or 0) < p < (high or 1_000)]
                for limit in (1, 7, 1_000):
                    page = await backend.read(partition, "items", after=low, before=high, limit=limit, newest_first=newest_first)
                    found = [(entry.position, entry.id) for entry in page.entries]
                    assert found == [(p, live[p]) for p in standing[:limit]], (low, high, limit)
                    assert page.has_more == (len(standing) > limit), (low, high, limit)

    await append(0, 100)
    await check()
    for n in (0, 12, 13, *range(20, 45), 98):
        await backend.commit(partition, [Remove("items", f"id{n}")])
        del live[n + 1]
    await check()
    await backend.commit(partition, [Trim("items", 79)])
    live = {p: id for p, id in live.items() if p >= 79}
    await check()
    await append(100, 40)
    await check()
    await backend.commit(partition, [Truncate("items", 100)])
    live = {p: id for p, id in live.items() if p <= 100}
    await check()
    await backend.commit(partition, [Truncate("items", 0)])
    live.clear()
    await check()
    await backend.aclose()


async def test_pages_that_are_read_at_once_after_a_trim_are_all_right(url_of: Callable[..., str]) -> None:
    backend, partition = await open_backend(url_of("valkey-9.1")), fresh_partition()
    await backend.commit(partition, [Append("items", make_entry(f"id{n}", b"")) for n in range(100)])
    await backend.commit(partition, [Trim("items", 71)])
    pages = await asyncio.gather(
        *(backend.read(partition, "items", after=at - 1, before=at + 10, limit=10) for at in range(1, 101, 10))
    )
    assert [[entry.position for entry in page.entries] for page in pages] == [
        [] if at < 71 else list(range(at, at + 10)) for at in range(1, 101, 10)
    ]
    await backend.aclose()
