"""Follow: what is there, then what comes, each once and in order, until the partition is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ..backend import Backend
from ..errors import GoneError, UnknownCursorError
from ..records import Entry, Partition
from .common import LOG, Topic, append, until


@asynccontextmanager
async def follower(backend: Backend, partition: Partition, after: int | str | None = None) -> AsyncIterator[list[str]]:
    """Collect what a follower sees; what it raises is raised at the end of the block."""
    seen: list[str] = []

    async def tail() -> None:
        async for entry in backend.follow(partition, LOG, after=after):
            seen.append(entry.id)

    task = asyncio.create_task(tail())
    try:
        yield seen
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.wait([task])


async def is_long(seen: list[str], count: int) -> bool:
    """Tell whether so many were seen."""
    return len(seen) >= count


class FollowTopic(Topic):
    """Following."""

    async def test_it_replays_what_is_there_and_then_tails(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b")
        async with follower(backend, partition) as seen:
            await until(lambda: is_long(seen, 2))
            await append(backend, partition, "c")
            await append(backend, partition, "d", "e")
            await until(lambda: is_long(seen, 5))
        assert seen == list("abcde")

    async def test_it_starts_after_a_position_or_an_id(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcd")
        for cursor in (2, "b"):
            async with follower(backend, partition, cursor) as seen:
                await until(lambda seen=seen: is_long(seen, 2))  # type: ignore[misc]
            assert seen == ["c", "d"]
        with pytest.raises(UnknownCursorError):
            await anext(aiter(backend.follow(partition, LOG, after="nobody")))

    async def test_a_partition_may_be_followed_before_it_exists(self, backend: Backend, partition: Partition) -> None:
        async with follower(backend, partition) as seen:
            await asyncio.sleep(0)
            await append(backend, partition, "a")
            await until(lambda: is_long(seen, 1))
        assert seen == ["a"]

    async def test_nothing_is_missed_between_the_replay_and_the_tail(self, backend: Backend, partition: Partition) -> None:
        ids = [f"i{n}" for n in range(300)]

        async def write() -> None:
            for start in range(0, 300, 3):
                await append(backend, partition, *ids[start : start + 3])

        writer = asyncio.create_task(write())
        async with follower(backend, partition) as early:
            await until(lambda: is_long(early, 50))
            async with follower(backend, partition) as late:
                await writer
                await until(lambda: is_long(early, 300))
                await until(lambda: is_long(late, 300))
        assert early == ids
        assert late == ids

    async def test_many_followers_of_many_partitions_see_their_own(self, backend: Backend, owner: str) -> None:
        partitions = [Partition(owner, f"p{n}") for n in range(10)]

        async def watch(partition: Partition) -> list[str]:
            seen: list[Entry] = []
            async for entry in backend.follow(partition, LOG):
                seen.append(entry)
                if len(seen) == 5:
                    break
            return [each.id for each in seen]

        tasks = [asyncio.create_task(watch(each)) for each in partitions for _ in range(3)]
        for n in range(5):
            await asyncio.gather(*(append(backend, each, f"{each.name}-{n}") for each in partitions))
        async with asyncio.timeout(20):
            seen = await asyncio.gather(*tasks)
        expected = [[f"{each.name}-{n}" for n in range(5)] for each in partitions for _ in range(3)]
        assert seen == expected
        for each in partitions:
            await backend.drop(each, tombstone_ms=0)

    async def test_a_drop_ends_it_with_gone(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        seen = asyncio.Event()

        async def tail() -> None:
            async for _ in backend.follow(partition, LOG):
                seen.set()

        task = asyncio.create_task(tail())
        await asyncio.wait_for(seen.wait(), 10)
        await backend.drop(partition, tombstone_ms=5_000)
        with pytest.raises(GoneError):
            await asyncio.wait_for(task, 15)
