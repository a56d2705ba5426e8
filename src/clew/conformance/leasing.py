"""Leases: one holder at a time, a fence that grows, and the store's clock."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from ..backend import Backend, Leasing
from ..errors import GoneError, InvalidError
from ..records import Lease, Partition
from .support import TOMBSTONE_MS, Fresh, Suite, add, wait_until

LONG = 60_000
SHORT = 150


class LeasingBackend(Backend, Leasing, Protocol):
    """A backend with leases."""


class LeasingSuite(Suite):
    """`claim`, `renew` and `release`."""

    async def test_a_free_name_is_claimed(self, backend: LeasingBackend, partition: Partition) -> None:
        done = await backend.commit(partition, [])
        lease = await _claim(backend, partition, "ada")
        assert (lease.name, lease.holder) == ("lock", "ada")
        assert lease.fence > 0
        assert 0 <= lease.expires_ms - LONG - done.committed_ms < 30_000

    async def test_a_held_name_is_refused_to_others(self, backend: LeasingBackend, partition: Partition) -> None:
        await _claim(backend, partition, "ada")
        assert await backend.claim(partition, "lock", "bob", ttl_ms=LONG) is None
        assert await backend.claim(partition, "lock", "ada ", ttl_ms=LONG) is None

    async def test_a_claim_by_its_holder_renews_it(self, backend: LeasingBackend, partition: Partition) -> None:
        first = await _claim(backend, partition, "ada")
        again = await backend.claim(partition, "lock", "ada", ttl_ms=2 * LONG)
        assert again is not None
        assert again.fence == first.fence
        assert again.expires_ms >= first.expires_ms + LONG
        assert await backend.release(first, partition) is True

    async def test_a_lease_is_renewed(self, backend: LeasingBackend, partition: Partition) -> None:
        first = await _claim(backend, partition, "ada")
        renewed = await backend.renew(first, partition, ttl_ms=2 * LONG)
        assert renewed is not None
        assert (renewed.name, renewed.holder, renewed.fence) == ("lock", "ada", first.fence)
        assert renewed.expires_ms >= first.expires_ms + LONG
        assert await backend.claim(partition, "lock", "bob", ttl_ms=LONG) is None

    async def test_a_released_name_is_free_and_its_next_fence_greater(
        self, backend: LeasingBackend, partition: Partition
    ) -> None:
        fences = []
        for holder in ("ada", "bob", "cleo", "ada"):
            lease = await _claim(backend, partition, holder)
            fences.append(lease.fence)
            assert await backend.release(lease, partition) is True
            assert await backend.release(lease, partition) is False
            assert await backend.renew(lease, partition, ttl_ms=LONG) is None
        assert fences == sorted(set(fences))

    async def test_a_lease_that_ran_out_is_free_and_its_next_fence_greater(
        self, backend: LeasingBackend, partition: Partition
    ) -> None:
        first = await backend.claim(partition, "lock", "ada", ttl_ms=SHORT)
        assert first is not None
        taken: list[Lease] = []

        async def take_over() -> bool:
            lease = await backend.claim(partition, "lock", "bob", ttl_ms=LONG)
            taken.extend([lease] if lease else [])
            return bool(lease)

        await wait_until(take_over, f"a lease of {SHORT} ms to run out")
        assert taken[0].fence > first.fence
        assert taken[0].expires_ms - LONG >= first.expires_ms, "it was given away before it ran out"
        assert await backend.renew(first, partition, ttl_ms=LONG) is None
        assert await backend.release(first, partition) is False
        assert await backend.claim(partition, "lock", "ada", ttl_ms=LONG) is None
        assert await backend.release(taken[0], partition) is True

    async def test_a_lease_that_ran_out_cannot_be_renewed(self, backend: LeasingBackend, partition: Partition) -> None:
        lease = await backend.claim(partition, "lock", "ada", ttl_ms=SHORT)
        assert lease is not None

        async def has_run_out() -> bool:
            # Any commit tells the store's time.
            return (await backend.commit(partition, [])).committed_ms > lease.expires_ms

        await wait_until(has_run_out, f"a lease of {SHORT} ms to run out")
        assert await backend.renew(lease, partition, ttl_ms=LONG) is None
        assert await backend.release(lease, partition) is False

    async def test_an_older_fence_of_the_same_holder_holds_nothing(self, backend: LeasingBackend, partition: Partition) -> None:
        first = await _claim(backend, partition, "ada")
        await backend.release(first, partition)
        between = await _claim(backend, partition, "bob")
        await backend.release(between, partition)
        second = await _claim(backend, partition, "ada")
        assert second.fence > between.fence > first.fence
        assert await backend.renew(first, partition, ttl_ms=LONG) is None
        assert await backend.release(first, partition) is False
        assert await backend.claim(partition, "lock", "bob", ttl_ms=LONG) is None

    async def test_names_and_partitions_are_told_apart(self, backend: LeasingBackend, fresh: Fresh) -> None:
        one, two, three = fresh("a"), fresh("b"), fresh("a", owner="other")
        for partition in (one, two, three):
            for name in ("lock", "Lock", "lock ", "a:b", "{a}", "ž\0"):
                assert await backend.claim(partition, name, f"{partition} {name}", ttl_ms=LONG) is not None

    async def test_holders_of_all_spellings_hold(self, backend: LeasingBackend, partition: Partition) -> None:
        for holder in ("a b", " ", "1 2 3", "ž", "a\nb", "a\0b", "😀", "x" * 512):
            lease = await _claim(backend, partition, holder)
            assert await backend.claim(partition, "lock", "somebody", ttl_ms=LONG) is None
            assert await backend.claim(partition, "lock", holder, ttl_ms=LONG) is not None
            assert await backend.release(lease, partition) is True

    async def test_one_of_many_claimants_wins(self, backend: LeasingBackend, partition: Partition) -> None:
        leases = await asyncio.gather(*(backend.claim(partition, "lock", f"h{n}", ttl_ms=LONG) for n in range(20)))
        assert len([lease for lease in leases if lease is not None]) == 1

    async def test_a_claim_does_not_make_the_partition(self, backend: LeasingBackend, partition: Partition) -> None:
        await _claim(backend, partition, "ada")
        assert await backend.revision(partition) == 0
        assert (await backend.commit(partition, add("a"), expect=0)).revision == 1
        assert await backend.claim(partition, "lock", "bob", ttl_ms=LONG) is None

    async def test_a_lease_does_not_outlive_its_partition(self, backend: LeasingBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        lease = await _claim(backend, partition, "ada")
        await backend.drop(partition, tombstone_ms=0)
        assert await backend.renew(lease, partition, ttl_ms=LONG) is None
        assert await backend.release(lease, partition) is False
        taken = await _claim(backend, partition, "bob")
        assert taken.fence > lease.fence

    async def test_what_is_gone_cannot_be_leased(self, backend: LeasingBackend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        lease = await _claim(backend, partition, "ada")
        await backend.drop(partition, tombstone_ms=TOMBSTONE_MS)
        with pytest.raises(GoneError):
            await backend.claim(partition, "lock", "ada", ttl_ms=LONG)
        with pytest.raises(GoneError):
            await backend.renew(lease, partition, ttl_ms=LONG)
        with pytest.raises(GoneError):
            await backend.release(lease, partition)

    async def test_bad_arguments_are_refused(self, backend: LeasingBackend, partition: Partition) -> None:
        lease = await _claim(backend, partition, "ada")
        for ttl_ms in (0, -1, 10**18, True):
            with pytest.raises(InvalidError):
                await backend.claim(partition, "lock", "ada", ttl_ms=ttl_ms)
            with pytest.raises(InvalidError):
                await backend.renew(lease, partition, ttl_ms=ttl_ms)
        for name, holder in (("", "ada"), ("lock", ""), ("x" * 513, "ada"), ("lock", "x" * 513)):
            with pytest.raises(InvalidError):
                await backend.claim(partition, name, holder, ttl_ms=LONG)


async def _claim(backend: Leasing, partition: Partition, holder: str) -> Lease:
    lease = await backend.claim(partition, "lock", holder, ttl_ms=LONG)
    assert lease is not None
    return lease
