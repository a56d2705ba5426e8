"""Every request of the protocol, through the SDK's own server: what a stock client sees is what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    HiddenContextItem,
    StructuredInputFreeform,
    StructuredInputItem,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text

from clew.adapters.chatkit import ChatKitStore

from .driver import ADA, Context, Server, answer, ask, ids_of, kinds, play, says, start, tool_call

Kit = ChatKitStore[Context]


async def test_a_thread_is_made_answered_and_found_again(server: Server, kit: Kit) -> None:
    events = await play(server, "threads.create", ADA, input=says("hello"))
    assert kinds(events) == ["thread.created", "thread.item.done", "stream_options", "thread.item.done"]
    thread_id = events[0]["thread"]["id"]
    found = await ask(server, "threads.get_by_id", ADA, thread_id=thread_id)
    assert [item["id"] for item in found["items"]["data"]] == [events[1]["item"]["id"], events[3]["item"]["id"]]
    assert found["items"]["data"][1]["content"][0]["text"] == "I heard: hello"
    assert found["created_at"] == events[0]["thread"]["created_at"]


async def test_a_message_is_added_to_a_thread(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA, "one")
    await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("two"))
    listed = await ask(server, "items.list", ADA, thread_id=thread_id, limit=10, order="asc")
    assert [item["content"][0]["text"] for item in listed["data"]] == ["one", "I heard: one", "two", "I heard: two"]


async def test_an_unknown_thread_is_not_found(server: Server) -> None:
    for thread_id in ("thr_nobody", "x" * 10_000, ""):
        with pytest.raises(NotFoundError):
            await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("two"))
        with pytest.raises(NotFoundError):
            await ask(server, "threads.get_by_id", ADA, thread_id=thread_id)


async def test_a_client_tool_is_called_and_its_output_completes_it(server: Server, kit: Kit) -> None:
    seen: list[object] = []

    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        if message is not None:
            yield ThreadItemDoneEvent(item=tool_call(thread.id))
            return
        seen.extend(item for item in (await kit.load_thread_items(thread.id, None, 9, "desc", context)).data)
        yield ThreadItemDoneEvent(item=answer(thread.id, "thank you", id="msg_after"))

    server.script = script
    thread_id = await start(server, ADA)
    events = await play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result={"sel": [1, 2]})
    assert kinds(events) == ["stream_options", "thread.item.done"]
    call = await kit.load_item(thread_id, "tc_1", ADA)
    assert (call.status, call.output) == ("completed", {"sel": [1, 2]})  # type: ignore[union-attr]
    assert seen[0] == call
    with pytest.raises(ValueError, match="was not a ClientToolCallItem"):
        await play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result={})


async def test_other_pending_calls_are_cleaned_away(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA)
    for n in range(3):
        await kit.add_thread_item(thread_id, tool_call(thread_id, id=f"tc_{n}"), ADA)
    await play(server, "threads.add_client_tool_output", ADA, thread_id=thread_id, result=1)
    calls = [
        item for item in (await kit.load_thread_items(thread_id, None, 20, "asc", ADA)).data if item.type == "client_tool_call"
    ]
    assert [(call.id, call.status) for call in calls] == [("tc_2", "completed")]


async def test_a_structured_input_is_answered_once(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA)
    asked = StructuredInputItem(
        id="si_1", thread_id=thread_id, created_at=datetime.now(), inputs=[StructuredInputFreeform(id="q1", question="why?")]
    )
    await kit.add_thread_item(thread_id, asked, ADA)
    given = {"status": "answered", "answers": {"q1": {"values": ["because"]}}}
    events = await play(server, "threads.add_structured_input", ADA, thread_id=thread_id, item_id="si_1", input=given)
    assert kinds(events) == ["stream_options", "thread.item.replaced", "thread.item.done"]
    found = await kit.load_item(thread_id, "si_1", ADA)
    assert isinstance(found, StructuredInputItem)
    assert found.status == "answered"
    assert found.inputs[0].answer is not None
    assert found.inputs[0].answer.values == ["because"]
    with pytest.raises(ValueError, match="not pending"):
        await play(server, "threads.add_structured_input", ADA, thread_id=thread_id, item_id="si_1", input=given)
    with pytest.raises(NotFoundError):
        await play(server, "threads.add_structured_input", ADA, thread_id=thread_id, item_id="si_2", input=given)


async def test_a_retry_removes_what_came_after(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA, "one")
    for n in range(25):
        await kit.add_thread_item(thread_id, answer(thread_id, str(n), id=f"msg_{n}"), ADA)
    first = (await ids_of(kit, thread_id, ADA))[0]
    events = await play(server, "threads.retry_after_item", ADA, thread_id=thread_id, item_id=first)
    assert kinds(events) == ["stream_options", "thread.item.done"]
    assert await ids_of(kit, thread_id, ADA) == [first, events[-1]["item"]["id"]]
    assert await play(server, "threads.retry_after_item", ADA, thread_id=thread_id, item_id="msg_nobody") == []


async def test_a_widget_takes_an_action_of_both_kinds(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA)
    card = Card(children=[Text(value="x")])
    await kit.add_thread_item(thread_id, WidgetItem(id="wid_1", thread_id=thread_id, created_at=datetime.now(), widget=card), ADA)
    action = {"type": "click", "payload": {"x": 1}}
    await play(server, "threads.custom_action", ADA, thread_id=thread_id, item_id="wid_1", action=action)
    assert (await kit.load_item(thread_id, "wid_1", ADA)).copy_text == "clicked click"  # type: ignore[union-attr]
    reply = await ask(server, "threads.sync_custom_action", ADA, thread_id=thread_id, item_id="wid_1", action=action)
    assert reply["updated_item"]["copy_text"] == "synced click"
    assert (await kit.load_item(thread_id, "wid_1", ADA)).copy_text == "synced click"  # type: ignore[union-attr]


async def test_threads_are_listed_renamed_and_deleted(server: Server) -> None:
    made = [await start(server, ADA, str(n)) for n in range(3)]
    renamed = await ask(server, "threads.update", ADA, thread_id=made[0], title="The first")
    assert renamed["title"] == "The first"
    listed = await ask(server, "threads.list", ADA, limit=2, order="desc")
    assert [thread["id"] for thread in listed["data"]] == made[:0:-1]
    assert (listed["has_more"], listed["after"]) == (True, made[1])
    rest = await ask(server, "threads.list", ADA, limit=2, order="desc", after=listed["after"])
    assert [(thread["id"], thread["title"], thread["items"]["data"]) for thread in rest["data"]] == [(made[0], "The first", [])]
    assert rest["has_more"] is False
    assert "after" not in rest
    assert await ask(server, "threads.delete", ADA, thread_id=made[1]) == {}
    assert [thread["id"] for thread in (await ask(server, "threads.list", ADA))["data"]] == [made[2], made[0]]
    with pytest.raises(NotFoundError):
        await ask(server, "threads.get_by_id", ADA, thread_id=made[1])
    assert await ask(server, "threads.delete", ADA, thread_id=made[1]) == {}


async def test_hidden_items_are_stored_and_never_sent(server: Server, kit: Kit) -> None:
    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        for n in range(3):
            hidden = HiddenContextItem(id=f"hid_{n}", thread_id=thread.id, created_at=datetime.now(), content={"n": n})
            yield ThreadItemDoneEvent(item=hidden)

    server.script = script
    thread_id = await start(server, ADA)
    page = await ask(server, "items.list", ADA, thread_id=thread_id, limit=2, order="desc")
    assert page == {"data": [], "has_more": True, "after": "hid_1"}
    page = await ask(server, "items.list", ADA, thread_id=thread_id, limit=2, order="desc", after=page["after"])
    assert [item["type"] for item in page["data"]] == ["user_message"]
    assert page["has_more"] is False


async def test_removed_and_replaced_may_name_what_is_not_there(server: Server, kit: Kit) -> None:
    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        yield ThreadItemRemovedEvent(item_id="msg_never")
        yield ThreadItemReplacedEvent(item=answer(thread.id, "put", id="msg_put"))
        yield ThreadItemReplacedEvent(item=answer(thread.id, "put again", id="msg_put"))

    server.script = script
    thread_id = await start(server, ADA)
    page = await kit.load_thread_items(thread_id, None, 9, "asc", ADA)
    assert [item.id for item in page.data][1:] == ["msg_put"]
    assert page.data[1].content[0].text == "put again"  # type: ignore[union-attr]


async def test_feedback_needs_no_store(server: Server) -> None:
    assert await ask(server, "items.feedback", ADA, thread_id="thr_x", item_ids=["msg_x"], kind="positive") == {}
