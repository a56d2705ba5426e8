"""What `clew.testing` gives to users' tests does what it says."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import cast

import clew
from clew.records import Partition
from clew.testing import Call, FixedClock, Recorder, WholeBackend, memory_store


async def test_a_store_in_memory_is_ready_and_empty() -> None:
    async with memory_store() as store:
        await store.threads.create("ada")
    async with memory_store() as store:
        assert list(await store.threads.list("ada")) == []


async def test_a_fixed_clock_moves_by_hand() -> None:
    clock = FixedClock(datetime(2030, 1, 2, tzinfo=UTC))
    async with memory_store(clock=clock) as store:
        thread = await store.threads.create("ada", ttl=10)
        assert thread.created_at == clock.now == datetime(2030, 1, 2, tzinfo=UTC)
        clock.advance(9.5)
        assert thread.expires_at == clock.now + timedelta(seconds=0.5)
        await store.threads.get(thread)


async def test_a_recorder_tells_every_call_in_order() -> None:
    async with memory_store() as store:
        recorder = Recorder(cast(WholeBackend, store.backend))
        recorded = clew.Store(recorder)
        await recorded.threads.create("ada", id="t")
        await recorded.threads.list("ada")
        await recorded.routes("r:").resolve("c")
        assert recorder.calls == [
            Call("commit", Partition("ada", "t")),
            Call("list", "ada"),
            Call("fetch", Partition("ada", "t")),
            Call("put_value", "r:c"),
        ]
        recorder.clear()
        await recorded.items.append(clew.Ref("ada", "t"), clew.NewItem(b"x"))
        async with aclosing(recorded.items.follow(clew.Ref("ada", "t"))) as items:
            assert (await anext(items)).data == b"x"
        assert recorder.verbs == ["commit", "fetch", "follow"]


async def test_a_recorder_tells_the_calls_of_a_run() -> None:
    async with memory_store() as store:
        recorder = Recorder(cast(WholeBackend, store.backend))
        recorded = clew.Store(recorder)
        thread = await recorded.threads.create("ada")
        recorder.clear()
        async with await recorded.runs.start(thread) as producer:
            await producer.append(b"x")
        assert [verb for verb in recorder.verbs if verb != "await_stop"] == ["start_run", "append_events", "end_run"]
        recorder.clear()
        await recorded.runs.get(thread, producer.id)
        await recorded.runs.list(thread)
        await recorded.runs.events(thread, producer.id)
        await recorded.runs.cancel(thread, producer.id)
        assert recorder.verbs == ["find_run", "list_runs", "read_events", "cancel_run"]
        recorder.clear()
        assert [event.id async for event in recorded.runs.follow(thread, producer.id)] == ["1-0", "1-1", "1-2"]
        assert recorder.verbs == ["find_run", "follow_events"]
