"""Following: what is there, then what comes, each entry once and in order."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ClosedError, GoneError, InvalidError, UnknownCursorError
from ..records import Entry, Partition, PutDocument, Remove, Trim, Truncate
from .support import LOG, TIMEOUT, TOMBSTONE_MS, Fresh, Suite, add, close, ids, numbered, take


class Following(Suite):
    """`follow`."""

    async def test_a_follower_gets_what_is_there_and_then_what_comes(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a", "b"))
        entries = backend.follow(partition, LOG)
        assert ids(await take(entries, 2)) == ["a", "b"]
        await backend.commit(partition, add("c"))
        assert ids(await take(entries, 1)) == ["c"]
        await backend.commit(partition, [PutDocument("x", b"1"), *add("d", "e")])
        found = await take(entries, 2)
        assert [(each.id, each.position, each.data) for each in found] == [
            ("d", 4, b'{"text":"hello"}'),
            ("e", 5, b'{"text":"hello"}'),
        ]
        await close(entries)

    async def test_a_partition_may_be_followed_before_it_is_there(self, backend: Backend, partition: Partition) -> None:
        entries = backend.follow(partition, LOG)
        first = asyncio.ensure_future(take(entries, 1))
        await asyncio.sleep(0.05)
        await backend.commit(partition, [PutDocument("x", b"1")])
        await backend.commit(partition, add("a", log="other"))
        await backend.commit(partition, add("b"))
        assert ids(await first) == ["b"]
        await close(entries)

    @pytest.mark.parametrize("after", [2, "i2"])
    async def test_a_follower_starts_after_its_cursor(self, backend: Backend, partition: Partition, after: int | str) -> None:
        await backend.commit(partition, numbered(4))
        entries = backend.follow(partition, LOG, after=after)
        assert ids(await take(entries, 2)) == ["i3", "i4"]
        await backend.commit(partition, numbered(1, 5))
        assert ids(await take(entries, 1)) == ["i5"]
        await close(entries)

    async def test_a_follower_may_start_after_an_entry_that_was_removed(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(4))
        await backend.commit(partition, [Remove(LOG, "i2"), Remove(LOG, "i3")])
        entries = backend.follow(partition, LOG, after="i2")
        assert ids(await take(entries, 1)) == ["i4"]
        await close(entries)

    async def test_a_follower_goes_on_after_entries_were_cut_off(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(4))
        entries = backend.follow(partition, LOG)
        await take(entries, 2)
        await take(entries, 2)
        await backend.commit(partition, [Truncate(LOG, 2)])
        await backend.commit(partition, [Trim(LOG, 2)])
        await backend.commit(partition, numbered(1, 5))
        found = await take(entries, 1)
        assert [(each.id, each.position) for each in found] == [("i5", 5)]
        await close(entries)

    async def test_a_long_log_is_followed_from_its_start(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(2100))
        entries = backend.follow(partition, LOG)
        assert [each.position for each in await take(entries, 2100)] == list(range(1, 2101))
        await close(entries)

    async def test_nothing_is_lost_or_doubled_between_the_past_and_the_present(
        self, backend: Backend, partition: Partition
    ) -> None:
        total = 240

        async def follow(wait: int) -> list[Entry]:
            for _ in range(wait):
                await asyncio.sleep(0)
            entries = backend.follow(partition, LOG)
            found = await take(entries, total)
            await close(entries)
            return found

        followers = [asyncio.create_task(follow(wait)) for wait in range(0, 300, 20)]
        for first in range(1, total + 1, 2):
            await backend.commit(partition, numbered(2, first))
        for found in await asyncio.gather(*followers):
            assert [each.position for each in found] == list(range(1, total + 1))

    async def test_followers_of_two_logs_get_their_own(self, backend: Backend, fresh: Fresh) -> None:
        one, two = fresh(), fresh()
        streams = [backend.follow(one, LOG), backend.follow(one, "other"), backend.follow(two, LOG)]
        waiting = [asyncio.ensure_future(take(entries, 2)) for entries in streams]
        await backend.commit(one, add("a", "b"))
        await backend.commit(two, add("c", "d"))
        await backend.commit(one, add("e", "f", log="other"))
        assert [ids(found) for found in await asyncio.gather(*waiting)] == [["a", "b"], ["e", "f"], ["c", "d"]]
        for entries in streams:
            await close(entries)

    async def test_a_follower_that_left_does_not_hold_up_the_next(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        for _ in range(3):
            entries = backend.follow(partition, LOG)
            await take(entries, 1)
            waiting = asyncio.ensure_future(anext(entries))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await close(entries)
        entries = backend.follow(partition, LOG, after=1)
        waiting = asyncio.ensure_future(take(entries, 1))  # type: ignore[arg-type] # both are futures
        await asyncio.sleep(0.05)
        await backend.commit(partition, add("b"))
        assert ids(await waiting) == ["b"]  # type: ignore[arg-type]
        await close(entries)

    async def test_a_follower_hears_of_a_drop(self, backend: Backend, fresh: Fresh) -> None:
        for waits in (False, True):
            partition = fresh()
            await backend.commit(partition, add("a"))
            entries = backend.follow(partition, LOG)
            await take(entries, 1)
            waiting = asyncio.ensure_future(take(entries, 1))
            if waits:
                await asyncio.sleep(0.05)
            await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
            with pytest.raises(GoneError):
                await waiting
            with pytest.raises(GoneError):
                await take(backend.follow(partition, LOG), 1)

    async def test_an_unknown_cursor_cannot_be_followed(self, backend: Backend, partition: Partition) -> None:
        for _ in range(2):
            with pytest.raises(UnknownCursorError):
                await take(backend.follow(partition, LOG, after="unknown"), 1)
            await backend.commit(partition, add("a"))

    async def test_a_bad_cursor_cannot_be_followed(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        for cursor in (-1, "", True):
            with pytest.raises(InvalidError):
                await take(backend.follow(partition, LOG, after=cursor), 1)

    async def test_a_follower_ends_when_the_store_is_closed(self, backend: Backend, partition: Partition) -> None:
        # Nothing is written, so that nothing stays: what is closed cannot be dropped.
        entries = backend.follow(partition, LOG)
        waiting = asyncio.ensure_future(take(entries, 1))
        await asyncio.sleep(0.05)
        await backend.aclose()
        with pytest.raises(ClosedError):
            async with asyncio.timeout(TIMEOUT):
                await waiting
