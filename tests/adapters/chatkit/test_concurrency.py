"""Several turns, workers and clients at once: nothing is lost, doubled or half done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    ClientToolCallItem,
    CustomTask,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    Workflow,
    WorkflowItem,
)

import clew
from clew import ConflictError, Store
from clew.adapters.chatkit import AlreadyCompletedError, ChatKitStore

from .driver import ADA, Context, Server, answer, ids_of, kinds, make_thread, play, says, start, text_of, tool_call

Kit = ChatKitStore[Context]


@pytest.fixture
async def others(url: str, store: Store, tmp_path: Path) -> AsyncIterator[list[Kit]]:
    """ChatKit's store in three workers: connections of their own, but in memory, where there is one."""
    if url == "memory://":
        yield [ChatKitStore(store) for _ in range(3)]
        return
    async with clew.connect(url) as two, clew.connect(url) as three:
        yield [ChatKitStore(each) for each in (store, two, three)]


async def test_two_turns_of_one_thread_keep_every_item_and_field(others: list[Kit]) -> None:
    servers = [Server(kit) for kit in others]

    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        assert message is not None
        for n in range(5):
            thread.metadata[text_of(message)] = n
            yield ThreadItemDoneEvent(item=answer(thread.id, f"{text_of(message)} {n}", id=f"{text_of(message)}-{n}"))
            await asyncio.sleep(0)

    thread_id = await start(servers[0], ADA)
    for server in servers:
        server.script = script
    await asyncio.gather(
        *(
            play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says(f"turn{n}"))
            for n, server in enumerate(servers)
        )
    )
    found = await others[0].load_thread(thread_id, ADA)
    assert found.metadata == {"turn0": 4, "turn1": 4, "turn2": 4}
    ids = await ids_of(others[1], thread_id, ADA)
    assert len(ids) == len(set(ids)) == 2 + 3 * 6
    for n in range(3):
        assert [id for id in ids if id.startswith(f"turn{n}")] == [f"turn{n}-{k}" for k in range(5)]


async def test_one_id_added_by_twenty_at_once_is_one_item(others: list[Kit]) -> None:
    thread_id = await make_thread(others[0], ADA)
    await asyncio.gather(*(others[n % 3].add_thread_item(thread_id, answer(thread_id, str(n), id="a"), ADA) for n in range(20)))
    assert await ids_of(others[0], thread_id, ADA) == ["a"]


async def test_of_two_who_complete_a_call_the_second_is_told(others: list[Kit]) -> None:
    thread_id = await make_thread(others[0], ADA)
    await others[0].add_thread_item(thread_id, tool_call(thread_id), ADA)
    calls = [await kit.load_item(thread_id, "tc_1", ADA) for kit in others]
    for n, call in enumerate(calls):
        assert isinstance(call, ClientToolCallItem)
        call.status, call.output = "completed", n
    done = await asyncio.gather(
        *(kit.save_item(thread_id, call, ADA) for kit, call in zip(others, calls, strict=True)), return_exceptions=True
    )
    failed = [error for error in done if error is not None]
    assert len(failed) == 2
    assert all(isinstance(error, AlreadyCompletedError) and isinstance(error, ConflictError) for error in failed)
    winner = done.index(None)
    assert (await others[0].load_item(thread_id, "tc_1", ADA)).output == winner  # type: ignore[union-attr]
    # Whoever repeats what was written is right.
    await others[1].save_item(thread_id, calls[winner], ADA)
    await others[1].save_item(thread_id, calls[winner].model_copy(deep=True), ADA)


async def test_of_two_outputs_of_one_call_one_answer_is_made(others: list[Kit]) -> None:
    servers = [Server(kit) for kit in others]
    thread_id = await make_thread(others[0], ADA)
    await others[0].add_thread_item(thread_id, tool_call(thread_id), ADA)
    done = await asyncio.gather(
        *(play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result=n) for n, server in enumerate(servers)),
        return_exceptions=True,
    )
    answered = [events for events in done if not isinstance(events, BaseException)]
    assert len(answered) == 1
    assert kinds(answered[0]) == ["stream_options", "thread.item.done"]
    assert len(await ids_of(others[0], thread_id, ADA)) == 2


async def test_a_workflow_continued_in_the_next_turn_changes_in_its_place(server: Server, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    flow = WorkflowItem(
        id="wf_1", thread_id=thread_id, created_at=datetime.now(), workflow=Workflow(type="custom", tasks=[CustomTask(title="1")])
    )
    await kit.add_thread_item(thread_id, flow, ADA)
    await kit.add_thread_item(thread_id, tool_call(thread_id), ADA)

    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await kit.load_thread_items(thread.id, None, 2, "desc", context)
        found = page.data[1]
        assert isinstance(found, WorkflowItem)
        assert (datetime.now() - found.created_at).total_seconds() < 60
        found.workflow.tasks.append(CustomTask(title="2"))
        yield ThreadItemDoneEvent(item=found)

    server.script = script
    events = await play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result=1)
    assert "error" not in kinds(events)
    page = await kit.load_thread_items(thread_id, None, 9, "asc", ADA)
    assert [item.id for item in page.data] == ["wf_1", "tc_1"]
    assert len(page.data[0].workflow.tasks) == 2  # type: ignore[union-attr]


async def test_a_thread_deleted_in_the_middle_of_a_turn_stays_deleted(server: Server, kit: Kit) -> None:
    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        yield ThreadItemDoneEvent(item=answer(thread.id, "1", id="a"))
        await kit.delete_thread(thread.id, context)
        yield ThreadItemDoneEvent(item=answer(thread.id, "2", id="b"))

    server.script = script
    events = await play(server, "threads.create", ADA, input=says("go"))
    assert events[-1]["type"] == "error"
    thread_id = events[0]["thread"]["id"]
    with pytest.raises(NotFoundError):
        await kit.load_thread(thread_id, ADA)
    assert (await kit.load_threads(9, None, "asc", ADA)).data == []
    assert await ids_of(kit, thread_id, ADA) == []
