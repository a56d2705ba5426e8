"""A time to live: fixed or sliding, of a whole partition, without a tombstone."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from ..backend import Backend, Expiry, Listing
from ..errors import ConflictError, GoneError, InvalidError, UnknownCursorError
from ..records import Change, Expire, ExpiryKind, Partition, PutDocument, Snapshot
from .support import LOG, TOMBSTONE_MS, Suite, add, read_ids, wait_until

LONG = 600_000
SHORT = 250


class ExpiringBackend(Backend, Expiry, Protocol):
    """A backend with a time to live."""


class ExpirySuite(Suite):
    """`expire`."""

    async def test_what_is_not_there_cannot_expire(self, backend: ExpiringBackend, partition: Partition) -> None:
        assert await backend.expire(partition, LONG) is False
        assert await backend.expire(partition, None) is False
        assert await backend.fetch(partition) == Snapshot()
        await backend.commit(partition, add("a"))
        assert (await backend.fetch(partition)).expires_ms is None

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    async def test_a_partition_vanishes_whole_and_without_a_tombstone(
        self, backend: ExpiringBackend, partition: Partition, kind: str
    ) -> None:
        changes: list[Change] = [*add("a"), *add("b", log="other"), PutDocument("x", b"1")]
        await backend.commit(partition, changes, once="token", listed=True)
        assert await backend.expire(partition, SHORT, kind=kind) is True  # type: ignore[arg-type] # one of the two
        assert await read_ids(backend, partition) == ["a"]
        await _wait_for_the_end(backend, partition)
        assert await backend.fetch(partition) == Snapshot()
        assert await read_ids(backend, partition) == []
        assert await read_ids(backend, partition, "other") == []
        with pytest.raises(UnknownCursorError):
            await backend.read(partition, LOG, after="a")
        if isinstance(backend, Listing):
            assert list(await backend.list(partition.owner)) == []
        assert await backend.expire(partition, SHORT) is False
        assert await backend.drop(partition) is False
        done = await backend.commit(partition, changes, once="token", expect=0)
        assert (done.revision, done.outcomes, done.replayed) == (1, (1, 1, 0), False)
        assert (await backend.fetch(partition)).expires_ms is None

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    async def test_a_commit_makes_a_partition_with_its_time_to_live(
        self, backend: ExpiringBackend, partition: Partition, kind: ExpiryKind
    ) -> None:
        changes: list[Change] = [*add("a"), *add("b", log="other"), PutDocument("x", b"1"), Expire(SHORT, kind)]
        done = await backend.commit(partition, changes, once="token", expect=0, listed=True)
        assert (done.revision, done.outcomes) == (1, (1, 1, 0, 0))
        await _wait_for_the_end(backend, partition)
        assert await backend.fetch(partition) == Snapshot()
        for log in (LOG, "other"):
            assert await read_ids(backend, partition, log) == []
        again = await backend.commit(partition, changes[:-1], once="token", expect=0)
        assert (again.revision, again.replayed) == (1, False)
        assert (await backend.fetch(partition)).expires_ms is None

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    async def test_a_commit_changes_the_time_to_live(
        self, backend: ExpiringBackend, partition: Partition, kind: ExpiryKind
    ) -> None:
        await backend.commit(partition, [*add("a"), *add("b", log="other")])
        done = await backend.commit(partition, [PutDocument("x", b"1"), Expire(LONG, kind)])
        assert done.revision == 2
        start = (await backend.fetch(partition)).expires_ms
        assert start is not None
        assert abs(start - LONG - done.committed_ms) <= 5
        await asyncio.sleep(0.05)
        last = await backend.commit(partition, [*add("c"), PutDocument("x", b"2")])
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert abs(expires - (start if kind == "fixed" else LONG + last.committed_ms)) <= 5
        await backend.commit(partition, [Expire(None)])
        assert (await backend.fetch(partition)).expires_ms is None
        await backend.commit(partition, [Expire(SHORT, kind)])
        await _wait_for_the_end(backend, partition)
        for log in (LOG, "other"):
            assert await read_ids(backend, partition, log) == []

    async def test_a_refused_commit_leaves_the_time_to_live(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("x", b"1"), Expire(LONG, "fixed")])
        start = (await backend.fetch(partition)).expires_ms
        for refused in (PutDocument("x", b"2", b"other"), PutDocument("x", b"2", None)):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [Expire(None), refused])
        with pytest.raises(InvalidError):
            await backend.commit(partition, [Expire(0)])
        with pytest.raises(InvalidError):
            await backend.commit(partition, [Expire(LONG, "other")])  # type: ignore[arg-type] # that is the point
        assert start is not None
        assert abs(((await backend.fetch(partition)).expires_ms or 0) - start) <= 5

    async def test_logs_and_documents_that_come_later_vanish_too(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        await backend.expire(partition, SHORT, kind="fixed")
        await backend.commit(partition, [*add("b", log="other"), PutDocument("x", b"1")], once="token")
        await backend.commit(partition, add("c", log="third"))
        await _wait_for_the_end(backend, partition)
        done = await backend.commit(partition, [PutDocument("y", b"1")], once="token")
        assert (done.revision, done.replayed) == (1, False)
        assert (await backend.fetch(partition)).documents == {"y": b"1"}
        for log in (LOG, "other", "third"):
            assert await read_ids(backend, partition, log) == []

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    async def test_the_end_is_told(self, backend: ExpiringBackend, partition: Partition, kind: str) -> None:
        done = await backend.commit(partition, add("a"))
        await backend.expire(partition, LONG, kind=kind)  # type: ignore[arg-type] # one of the two
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert -5 <= expires - LONG - done.committed_ms < 30_000

    async def test_a_commit_moves_a_sliding_end(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, [*add("first"), PutDocument("x", b"1")])
        await backend.expire(partition, 1500)
        start = (await backend.fetch(partition)).expires_ms
        assert start is not None
        number = 0

        async def has_moved() -> bool:
            nonlocal number
            number += 1
            done = await backend.commit(partition, add(f"a{number}"), expect=-1)
            return done.committed_ms > start + 200

        while not await has_moved():  # noqa: ASYNC110  # nobody tells when a time is over
            await asyncio.sleep(0.05)
        assert "first" in await read_ids(backend, partition)
        assert (await backend.fetch(partition)).documents == {"x": b"1"}
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert expires > start + 1000

    @pytest.mark.parametrize("general", [False, True])
    async def test_a_commit_does_not_move_a_fixed_end(
        self, backend: ExpiringBackend, partition: Partition, general: bool
    ) -> None:
        await backend.commit(partition, add("a"))
        await backend.expire(partition, LONG, kind="fixed")
        start = (await backend.fetch(partition)).expires_ms
        assert start is not None
        await asyncio.sleep(0.05)
        await backend.commit(partition, [*add("b"), PutDocument("x", b"1")] if general else add("b"))
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert abs(expires - start) <= 5

    async def test_a_read_does_not_move_a_sliding_end(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        await backend.expire(partition, LONG)
        start = (await backend.fetch(partition)).expires_ms
        assert start is not None
        await asyncio.sleep(0.05)
        await backend.read(partition, LOG)
        await backend.revision(partition)
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert abs(expires - start) <= 5

    async def test_the_newest_call_counts(self, backend: ExpiringBackend, partition: Partition) -> None:
        done = await backend.commit(partition, add("a"))
        await backend.expire(partition, LONG)
        await backend.expire(partition, 10 * LONG, kind="fixed")
        await backend.commit(partition, add("b"))
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert expires - done.committed_ms >= 10 * LONG - 5
        await backend.expire(partition, LONG)
        expires = (await backend.fetch(partition)).expires_ms
        assert expires is not None
        assert expires - done.committed_ms < 2 * LONG

    async def test_none_keeps_it_for_ever(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), PutDocument("x", b"1")])
        for kind in ("fixed", "sliding"):
            await backend.expire(partition, SHORT, kind=kind)
            assert await backend.expire(partition, None) is True
            assert (await backend.fetch(partition)).expires_ms is None
            await backend.commit(partition, add(kind))
            assert (await backend.fetch(partition)).expires_ms is None
        start = (await backend.commit(partition, [])).committed_ms

        async def later() -> bool:
            return (await backend.commit(partition, [])).committed_ms > start + SHORT

        await wait_until(later, "the time to pass")
        assert await read_ids(backend, partition) == ["a", "fixed", "sliding"]
        assert (await backend.fetch(partition)).documents == {"x": b"1"}

    async def test_expiry_is_no_commit(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        await backend.expire(partition, LONG)
        assert await backend.revision(partition) == 1

    async def test_what_is_gone_cannot_expire(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        await backend.expire(partition, SHORT)
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        with pytest.raises(GoneError):
            await backend.expire(partition, LONG)
        with pytest.raises(GoneError):
            await backend.expire(partition, None)

    async def test_bad_arguments_are_refused(self, backend: ExpiringBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        for ttl_ms in (0, -1, 10**18, True, 1.5):
            with pytest.raises(InvalidError):
                await backend.expire(partition, ttl_ms)  # type: ignore[arg-type] # that is the point
        with pytest.raises(InvalidError):
            await backend.expire(partition, LONG, kind="other")  # type: ignore[arg-type] # that is the point
        assert (await backend.fetch(partition)).expires_ms is None


async def _wait_for_the_end(backend: Backend, partition: Partition) -> None:
    async def is_over() -> bool:
        return await backend.revision(partition) == 0

    await wait_until(is_over, "the partition to vanish")
