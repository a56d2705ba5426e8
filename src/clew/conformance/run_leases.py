"""Who makes a run: leases, takeovers, interruptions, and requests to stop."""

from __future__ import annotations

import asyncio

import pytest

from ..errors import ConflictError, FencedError, InvalidError, NotFoundError
from ..records import Partition
from ..runs import EventId, RunEvent
from .run_support import (
    LONG,
    SHORT,
    RunningBackend,
    RunSuite,
    append,
    end_of,
    events,
    ids,
    make_thread,
    read_all,
    start,
    wait_stale,
)
from .support import TIMEOUT, Fresh


class RunLeases(RunSuite):
    """`renew_run`, `claim_run`, `interrupt_run`, `cancel_run`, `await_stop`."""

    async def test_a_lease_is_renewed(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        renewed = await backend.renew_run(thread, run, lease_ms=LONG)
        assert SHORT < renewed.lease_left_ms <= LONG
        assert (renewed.epoch, renewed.holder, renewed.cancel_ms) == (1, run.holder, None)
        assert (await backend.interrupt_run(thread, run.id)).is_open

    async def test_a_lease_that_ran_out_is_renewed_while_nobody_took_over(
        self, backend: RunningBackend, thread: Partition
    ) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        await wait_stale(backend, thread, run.id)
        await append(backend, thread, run, 1)
        assert not (await backend.renew_run(thread, run, lease_ms=LONG)).is_stale
        await backend.end_run(thread, run, end_of(run, 2))

    async def test_a_living_producer_is_not_replaced(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, holder="ada")
        with pytest.raises(ConflictError) as caught:
            await backend.claim_run(thread, run.id, "bob", lease_ms=LONG)
        assert caught.value.actual == "ada"
        left = await backend.interrupt_run(thread, run.id)
        assert (left.state, left.epoch) == ("open", 1)
        assert ids(await read_all(backend, thread, run.id)) == ["1-0"]

    async def test_a_successor_goes_on_and_fences_the_older(self, backend: RunningBackend, thread: Partition) -> None:
        first = await start(backend, thread, lease_ms=SHORT)
        await append(backend, thread, first, 1, 3)
        await wait_stale(backend, thread, first.id)
        second = await backend.claim_run(thread, first.id, "bob", lease_ms=LONG)
        assert (second.epoch, second.holder, second.state) == (2, "bob", "open")
        assert 0 < second.lease_left_ms <= LONG
        for seq in (4, 5, 1000):
            with pytest.raises(FencedError):
                await append(backend, thread, first, seq)
        with pytest.raises(FencedError):
            await backend.end_run(thread, first, end_of(first, 4))
        with pytest.raises(FencedError):
            await backend.renew_run(thread, first, lease_ms=LONG)
        await append(backend, thread, second, 1, 2)
        await backend.end_run(thread, second, end_of(second, 3))
        found = await read_all(backend, thread, first.id)
        assert ids(found) == ["1-0", "1-1", "1-2", "1-3", "2-0", "2-1", "2-2", "2-3"]
        assert found[4] == RunEvent(EventId(2, 0), "takeover", b"", EventId(1, 3))
        assert [event.before for event in found[1:]] == [event.at for event in found[:-1]]

    async def test_what_an_older_producer_wrote_is_still_a_repeated_append(
        self, backend: RunningBackend, thread: Partition
    ) -> None:
        first = await start(backend, thread, lease_ms=SHORT)
        await append(backend, thread, first, 1, 2)
        await wait_stale(backend, thread, first.id)
        await backend.claim_run(thread, first.id, "bob", lease_ms=LONG)
        await append(backend, thread, first, 1, 2)
        assert ids(await read_all(backend, thread, first.id)) == ["1-0", "1-1", "1-2", "2-0"]

    async def test_a_repeated_claim_is_one_takeover(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        await wait_stale(backend, thread, run.id)
        for _ in range(3):
            assert (await backend.claim_run(thread, run.id, "bob", lease_ms=LONG)).epoch == 2
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "2-0"]

    async def test_one_of_many_takes_over(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        await wait_stale(backend, thread, run.id)
        calls = (backend.claim_run(thread, run.id, f"h{n}", lease_ms=LONG) for n in range(20))
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, ConflictError) for each in done) == 19
        assert ids(await read_all(backend, thread, run.id)) == ["1-0", "2-0"]

    async def test_one_of_many_interrupts(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT, takes_turn=True)
        await append(backend, thread, run, 1)
        await wait_stale(backend, thread, run.id)
        done = await asyncio.gather(*(backend.interrupt_run(thread, run.id, b"%d" % n) for n in range(20)))
        assert all(each == done[0] for each in done)
        end = done[0].end
        assert end is not None
        assert (end.at, end.kind, end.after) == (EventId(2, 0), "interrupted", EventId(1, 1))
        assert (done[0].state, done[0].epoch) == ("interrupted", 2)
        assert (await read_all(backend, thread, run.id))[2:] == [end]
        for call in (append(backend, thread, run, 2), backend.end_run(thread, run, end_of(run, 2))):
            with pytest.raises(FencedError):
                await call
        # The turn is free.
        assert (await start(backend, thread, takes_turn=True)).is_open

    async def test_a_stale_run_keeps_the_turn_until_it_is_settled(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT, takes_turn=True)
        await wait_stale(backend, thread, run.id)
        with pytest.raises(ConflictError) as caught:
            await start(backend, thread, takes_turn=True)
        assert caught.value.actual == run.id

    # -- stop ---------------------------------------------------------------------------------------------------------

    async def test_a_request_to_stop_stays_and_ends_nothing(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        asked = await backend.cancel_run(thread, run.id)
        assert asked.cancel_ms is not None
        assert asked.is_open
        while (await backend.commit(thread, [])).committed_ms <= asked.cancel_ms:
            pass  # Until the store's clock has moved, a later request would look like the first.
        assert (await backend.cancel_run(thread, run.id)).cancel_ms == asked.cancel_ms
        assert (await backend.renew_run(thread, run, lease_ms=LONG)).cancel_ms == asked.cancel_ms
        await append(backend, thread, run, 1)
        ended = await backend.end_run(thread, run, end_of(run, 2, "cancelled"))
        assert (ended.state, ended.cancel_ms) == ("cancelled", asked.cancel_ms)

    async def test_a_producer_hears_of_the_request(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread)
        hearing = asyncio.create_task(backend.await_stop(thread, run))
        await append(backend, thread, run, 1, 3)
        assert not hearing.done()
        await backend.cancel_run(thread, run.id)
        async with asyncio.timeout(TIMEOUT):
            assert (await hearing).cancel_ms is not None
            # And at once, where it was asked before.
            assert (await backend.await_stop(thread, run)).cancel_ms is not None

    async def test_a_producer_hears_that_it_was_replaced(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        hearing = asyncio.create_task(backend.await_stop(thread, run))
        await wait_stale(backend, thread, run.id)
        second = await backend.claim_run(thread, run.id, "bob", lease_ms=LONG)
        async with asyncio.timeout(TIMEOUT):
            assert (await hearing).epoch == 2
        hearing = asyncio.create_task(backend.await_stop(thread, second))
        await append(backend, thread, second, 1)
        await backend.end_run(thread, second, end_of(second, 2))
        async with asyncio.timeout(TIMEOUT):
            assert (await hearing).state == "done"

    async def test_a_producer_hears_that_its_run_was_dropped(self, backend: RunningBackend, fresh: Fresh) -> None:
        thread = await make_thread(backend, fresh)
        run = await start(backend, thread)
        hearing = asyncio.create_task(backend.await_stop(thread, run))
        await append(backend, thread, run, 1)
        await backend.drop(thread, tombstone_ms=0)
        with pytest.raises(NotFoundError):
            async with asyncio.timeout(TIMEOUT):
                await hearing

    async def test_bad_times_are_refused(self, backend: RunningBackend, thread: Partition) -> None:
        run = await start(backend, thread, lease_ms=SHORT)
        for lease_ms in (0, -1, 10**18, True):
            with pytest.raises(InvalidError):
                await backend.renew_run(thread, run, lease_ms=lease_ms)
            with pytest.raises(InvalidError):
                await backend.claim_run(thread, run.id, "bob", lease_ms=lease_ms)
        with pytest.raises(InvalidError):
            await backend.claim_run(thread, run.id, "", lease_ms=LONG)
        with pytest.raises(InvalidError):
            await backend.interrupt_run(thread, run.id, b"x" * 65_537)
        with pytest.raises(InvalidError):
            await backend.append_events(thread, run, [*events(run, 1, 1), *events(run, 3, 1)])
