"""Leasing: one holder at a time, a fence that grows, the store's clock."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend, Leasing
from ..errors import GoneError, InvalidError
from ..records import Partition
from .common import Topic, until


def leasing(backend: Backend) -> Leasing:
    """Return the backend as one that leases."""
    assert isinstance(backend, Leasing)
    return backend


class LeasingSuite(Topic):
    """Leasing."""

    async def test_a_claim_excludes_others_until_it_is_released(self, backend: Backend, partition: Partition) -> None:
        store = leasing(backend)
        mine = await store.claim(partition, "turn", "me", ttl_ms=60_000)
        assert mine is not None
        assert (mine.name, mine.holder) == ("turn", "me")
        assert await store.claim(partition, "turn", "you", ttl_ms=60_000) is None
        assert await store.claim(partition, "other", "you", ttl_ms=60_000) is not None
        assert await store.release(mine, partition) is True
        assert await store.release(mine, partition) is False
        yours = await store.claim(partition, "turn", "you", ttl_ms=60_000)
        assert yours is not None
        assert yours.fence > mine.fence

    async def test_one_of_many_that_claim_at_once_gets_it(self, backend: Backend, partition: Partition) -> None:
        claims = await asyncio.gather(*(leasing(backend).claim(partition, "turn", f"h{n}", ttl_ms=60_000) for n in range(20)))
        assert sum(claim is not None for claim in claims) == 1

    async def test_its_holder_renews_it_and_keeps_its_fence(self, backend: Backend, partition: Partition) -> None:
        store = leasing(backend)
        first = await store.claim(partition, "turn", "me", ttl_ms=20_000)
        assert first is not None
        renewed = await store.renew(first, partition, ttl_ms=60_000)
        assert renewed is not None
        assert renewed.fence == first.fence
        assert renewed.expires_ms > first.expires_ms
        again = await store.claim(partition, "turn", "me", ttl_ms=60_000)
        assert again is not None
        assert again.fence == first.fence

    async def test_a_lease_that_ran_out_goes_to_the_next_with_a_larger_fence(
        self, backend: Backend, partition: Partition
    ) -> None:
        store = leasing(backend)
        old = await store.claim(partition, "turn", "me", ttl_ms=30)
        assert old is not None
        taken = []

        async def is_mine() -> bool:
            lease = await store.claim(partition, "turn", "you", ttl_ms=60_000)
            taken.append(lease)
            return lease is not None

        await until(is_mine)
        assert taken[-1] is not None
        assert taken[-1].fence > old.fence
        assert await store.renew(old, partition, ttl_ms=1000) is None
        assert await store.release(old, partition) is False
        assert await store.claim(partition, "turn", "me", ttl_ms=1000) is None

    async def test_the_fence_grows_across_a_drop(self, backend: Backend, partition: Partition) -> None:
        store = leasing(backend)
        await backend.commit(partition, [])
        old = await store.claim(partition, "turn", "me", ttl_ms=60_000)
        await backend.drop(partition, tombstone_ms=0)
        new = await store.claim(partition, "turn", "you", ttl_ms=60_000)
        assert old is not None
        assert new is not None
        assert new.fence > old.fence

    async def test_a_dropped_partition_has_no_leases(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [])
        await backend.drop(partition, tombstone_ms=60_000)
        with pytest.raises(GoneError):
            await leasing(backend).claim(partition, "turn", "me", ttl_ms=1000)

    @pytest.mark.parametrize("ttl_ms", [0, -1])
    async def test_a_bad_time_is_refused(self, backend: Backend, partition: Partition, ttl_ms: int) -> None:
        with pytest.raises(InvalidError):
            await leasing(backend).claim(partition, "turn", "me", ttl_ms=ttl_ms)

    @pytest.mark.parametrize("holder", ["", "h" * 513])
    async def test_a_bad_holder_is_refused(self, backend: Backend, partition: Partition, holder: str) -> None:
        with pytest.raises(InvalidError):
            await leasing(backend).claim(partition, "turn", holder, ttl_ms=1000)

    async def test_a_holder_may_have_any_characters(self, backend: Backend, partition: Partition) -> None:
        for holder in ("a b", "1 2 3", "☃", "\x00", "h" * 512):
            lease = await leasing(backend).claim(partition, f"of {holder}"[:400], holder, ttl_ms=60_000)
            assert lease is not None
            assert lease.holder == holder
            assert await leasing(backend).renew(lease, partition, ttl_ms=60_000) is not None
            assert await leasing(backend).release(lease, partition) is True
