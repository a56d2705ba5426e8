"""Closing: what was sent is finished, a later call is told, and a second close does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ..backend import Backend, Expiry, Leasing, Listing, Running, Values
from ..errors import ClosedError
from ..records import Commit, Lease, Partition, PutDocument
from ..runs import EventId, Retention, Run, RunEvent
from .run_support import take as take_events
from .support import LOG, Suite, add, take


class Closing(Suite):
    """`aclose`."""

    async def test_every_later_call_says_closed(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        await backend.drop(partition, tombstone_ms=0)
        await backend.aclose()
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: backend.commit(partition, add("a")),
            lambda: backend.commit(partition, [PutDocument("a", b"1")]),
            lambda: backend.fetch(partition),
            lambda: backend.read(partition, LOG),
            lambda: backend.read(partition, LOG, after="a"),
            lambda: backend.revision(partition),
            lambda: backend.drop(partition),
            lambda: take(backend.follow(partition, LOG), 1),
            *_calls_of_powers(backend, partition),
        ]
        for number, call in enumerate(calls):
            with pytest.raises(ClosedError):  # noqa: PT012  # so that a failure names the call
                await call()
                pytest.fail(f"call {number} did not say closed")

    async def test_a_second_close_does_nothing(self, backend: Backend) -> None:
        await backend.aclose()
        await backend.aclose()
        await asyncio.gather(backend.aclose(), backend.aclose())

    async def test_what_was_sent_is_finished(self, backend: Backend, partition: Partition) -> None:
        # One after the other, so that nothing but the close is at work; the partition is dropped by the last call.
        task = asyncio.create_task(backend.drop(partition, tombstone_ms=0))
        writers = [asyncio.create_task(backend.commit(partition, [])) for _ in range(5)]
        done = await asyncio.gather(*writers)
        assert all(isinstance(each, Commit) for each in done)
        await task
        last = asyncio.create_task(backend.drop(partition, tombstone_ms=0))
        for _ in range(3):
            await asyncio.sleep(0)
        await backend.aclose()
        assert await last is True


def _calls_of_powers(backend: Backend, partition: Partition) -> list[Callable[[], Awaitable[object]]]:
    calls: list[Callable[[], Awaitable[object]]] = []
    if isinstance(backend, Listing):
        listing = backend
        calls.append(lambda: listing.list(partition.owner))
    if isinstance(backend, Leasing):
        leasing = backend
        lease = Lease("lease", "holder", 1, 1)
        calls.append(lambda: leasing.claim(partition, "lease", "holder", ttl_ms=1000))
        calls.append(lambda: leasing.renew(lease, partition, ttl_ms=1000))
        calls.append(lambda: leasing.release(lease, partition))
    if isinstance(backend, Expiry):
        expiry = backend
        calls.append(lambda: expiry.expire(partition, 1000))
    if isinstance(backend, Running):
        calls += _calls_of_runs(backend, partition)
    if isinstance(backend, Values):
        values = backend
        calls.append(lambda: values.get_value("key"))
        calls.append(lambda: values.put_value("key", b"1"))
        calls.append(lambda: values.value_ttl("key"))
        calls.append(lambda: values.scan_values("key"))
    return calls


def _calls_of_runs(running: Running, partition: Partition) -> list[Callable[[], Awaitable[object]]]:
    run = Run("run", 1, "open", 1, "holder", 1, False, 1, Retention())
    at = EventId(1, 1)
    return [
        lambda: running.start_run(partition, "run", "holder", lease_ms=1000, takes_turn=False, retention=Retention()),
        lambda: running.append_events(partition, run, [RunEvent(at)]),
        lambda: running.end_run(partition, run, RunEvent(at, "done")),
        lambda: running.renew_run(partition, run, lease_ms=1000),
        lambda: running.claim_run(partition, "run", "holder", lease_ms=1000),
        lambda: running.interrupt_run(partition, "run"),
        lambda: running.cancel_run(partition, "run"),
        lambda: running.await_stop(partition, run),
        lambda: running.find_run(partition, "run"),
        lambda: running.list_runs(partition),
        lambda: running.read_events(partition, "run"),
        lambda: take_events(running.follow_events(partition, "run"), 1),
    ]
