"""Expiry: a partition vanishes as a whole, at a fixed time or so long after its last commit."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend, Expiry
from ..errors import GoneError, InvalidError
from ..limits import MAX_TTL_MS
from ..records import Append, Partition, PutDocument
from .common import LOG, Topic, append, entry, ids_in, until


def expiring(backend: Backend) -> Expiry:
    """Return the backend as one whose partitions expire."""
    assert isinstance(backend, Expiry)
    return backend


class ExpirySuite(Topic):
    """Expiry."""

    async def test_what_expired_is_not_there_and_not_gone(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("d", b"1"), Append(LOG, entry("a")), Append("other", entry("b"))], once="t")
        assert await expiring(backend).expire(partition, 40, kind="fixed") is True

        async def is_gone() -> bool:
            return await backend.revision(partition) == 0

        await until(is_gone)
        assert (await backend.fetch(partition)).documents == {}
        assert await ids_in(backend, partition) == []
        assert await ids_in(backend, partition, "other") == []
        done = await backend.commit(partition, [Append(LOG, entry("a"))], expect=0, once="t")
        assert (done.outcomes, done.replayed) == ((1,), False)

    async def test_an_unknown_partition_cannot_expire(self, backend: Backend, partition: Partition) -> None:
        assert await expiring(backend).expire(partition, 1000) is False

    async def test_a_snapshot_tells_when(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        assert (await backend.fetch(partition)).expires_ms is None
        for kind in ("fixed", "sliding"):
            await expiring(backend).expire(partition, 60_000, kind=kind)  # type: ignore[arg-type]
            snapshot = await backend.fetch(partition)
            assert snapshot.expires_ms is not None
            assert 55_000 < snapshot.expires_ms - snapshot.updated_ms < 90_000

    async def test_none_keeps_it_for_ever(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await expiring(backend).expire(partition, 60_000)
        assert await expiring(backend).expire(partition, None) is True
        assert (await backend.fetch(partition)).expires_ms is None
        await append(backend, partition, "b")
        assert (await backend.fetch(partition)).expires_ms is None

    async def test_a_sliding_time_starts_again_with_each_commit(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await expiring(backend).expire(partition, 600, kind="sliding")
        for n in range(8):
            await asyncio.sleep(0.15)
            await backend.commit(
                partition, [Append(LOG, entry(f"b{n}")), PutDocument(f"d{n}", b"")] if n % 2 else [Append(LOG, entry(f"b{n}"))]
            )
        assert await ids_in(backend, partition) == ["a", *(f"b{n}" for n in range(8))]

        async def is_gone() -> bool:
            return await backend.revision(partition) == 0 and await ids_in(backend, partition) == []

        await until(is_gone)

    async def test_a_fixed_time_does_not_move(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await expiring(backend).expire(partition, 60_000, kind="fixed")
        before = (await backend.fetch(partition)).expires_ms
        await append(backend, partition, "b", log="new")
        await append(backend, partition, "c")
        after = (await backend.fetch(partition)).expires_ms
        assert before is not None
        assert after is not None
        assert abs(after - before) < 2_000

    async def test_whatever_is_written_later_expires_with_it(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await expiring(backend).expire(partition, 300, kind="fixed")
        await backend.commit(partition, [PutDocument("d", b"1"), Append("late", entry("x"))], once="t")

        async def is_gone() -> bool:
            return await backend.revision(partition) == 0

        await until(is_gone)
        assert (await backend.fetch(partition)).documents == {}
        assert await ids_in(backend, partition, "late") == []

    async def test_a_dropped_partition_cannot_expire(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await backend.drop(partition, tombstone_ms=60_000)
        with pytest.raises(GoneError):
            await expiring(backend).expire(partition, 1000)

    @pytest.mark.parametrize("ttl_ms", [0, -1, MAX_TTL_MS + 1])
    async def test_a_bad_time_is_refused(self, backend: Backend, partition: Partition, ttl_ms: int) -> None:
        await append(backend, partition, "a")
        with pytest.raises(InvalidError):
            await expiring(backend).expire(partition, ttl_ms)
        assert (await backend.fetch(partition)).expires_ms is None
