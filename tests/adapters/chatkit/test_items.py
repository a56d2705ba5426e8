"""What is stored of an item: the SDK's own JSON, with whatever a newer SDK put into it."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import TypeAdapter

from clew import NewItem, Store
from clew.adapters.chatkit import CODEC, UNREADABLE, ChatKitStore, StoreRefusedError

from .driver import ADA, Context, Server, answer, ask, ids_of, make_thread, start, tool_call
from .samples import every_item, newer_call, newer_item

Kit = ChatKitStore[Context]
ADAPTER: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)


async def write_raw(store: Store, kit: Kit, thread_id: str, value: dict[str, Any], **more: Any) -> None:
    """Store an item as a newer worker would have."""
    item = NewItem(json.dumps(value).encode(), id=value["id"], kind=value["type"], codec=CODEC, **more)
    await store.items.append(kit.ref_of(thread_id, ADA), item)


async def read_raw(store: Store, kit: Kit, thread_id: str, id: str) -> dict[str, Any]:
    """Return an item's JSON as it is stored."""
    found: dict[str, Any] = (await store.items.get(kit.ref_of(thread_id, ADA), id)).json()
    return found


async def test_every_type_comes_back_equal_and_with_its_own_bytes(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    items = every_item(thread_id)
    for item in items:
        await kit.add_thread_item(thread_id, item, ADA)
    page = await kit.load_thread_items(thread_id, None, 100, "asc", ADA)
    assert page.data == items
    for item in items:
        assert await kit.load_item(thread_id, item.id, ADA) == item
        stored = await store.items.get(kit.ref_of(thread_id, ADA), item.id)
        assert (stored.data, stored.codec) == (ADAPTER.dump_json(item), CODEC)


async def test_a_loaded_item_is_dumped_and_copied_as_any_other(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    for item in every_item(thread_id):
        await kit.add_thread_item(thread_id, item, ADA)
        loaded = await kit.load_item(thread_id, item.id, ADA)
        fresh = ADAPTER.validate_json(ADAPTER.dump_json(item))
        assert ADAPTER.dump_json(loaded) == ADAPTER.dump_json(fresh)
        assert loaded.model_dump() == fresh.model_dump()
        assert repr(loaded) == repr(fresh)
        assert loaded.model_copy(deep=True) == fresh == loaded
    page = await kit.load_thread_items(thread_id, None, 100, "asc", ADA)
    assert json.loads(page.model_dump_json(exclude_none=True, context={"exclude_metadata": True}))["data"][0]["id"] == "msg_u"


async def test_created_at_comes_back_as_it_was_given(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    now = datetime.now()
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="a").model_copy(update={"created_at": now}), ADA)
    found = await kit.load_item(thread_id, "a", ADA)
    assert found.created_at == now
    assert found.created_at.tzinfo is None


async def test_what_was_given_and_loaded_is_never_shared(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    call = tool_call(thread_id)
    await kit.add_thread_item(thread_id, call, ADA)
    call.arguments["p"] = 2
    found = await kit.load_item(thread_id, "tc_1", ADA)
    assert isinstance(found, ClientToolCallItem)
    assert found.arguments == {"p": 1}
    found.arguments["p"] = 3
    page = await kit.load_thread_items(thread_id, None, 1, "asc", ADA)
    page.data.clear()
    assert (await kit.load_item(thread_id, "tc_1", ADA)).arguments == {"p": 1}  # type: ignore[union-attr]


async def test_fields_the_sdk_does_not_know_survive_a_save(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    await write_raw(store, kit, thread_id, newer_call(thread_id), status="pending")
    (call,) = (await kit.load_thread_items(thread_id, None, 1, "desc", ADA)).data
    assert isinstance(call, ClientToolCallItem)
    call.status, call.output = "completed", {"sel": []}
    await kit.save_item(thread_id, call, ADA)
    expected = {**newer_call(thread_id), "status": "completed", "output": {"sel": []}}
    assert await read_raw(store, kit, thread_id, call.id) == expected
    await kit.save_item(thread_id, call.model_copy(deep=True, update={"name": "other"}), ADA)
    assert await read_raw(store, kit, thread_id, call.id) == {**expected, "name": "other"}


async def test_they_survive_a_save_of_an_item_made_anew_too(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    await write_raw(store, kit, thread_id, newer_call(thread_id), status="pending")
    await kit.save_item(thread_id, tool_call(thread_id, id="tc_new").model_copy(update={"status": "completed"}), ADA)
    found = await read_raw(store, kit, thread_id, "tc_new")
    assert (found["deadline"], found["origin"]) == ("2027-01-01", {"agent": "x", "hops": [1, 2]})
    assert (found["status"], found["call_id"]) == ("completed", "call_tc_new")


async def test_a_widgets_unknown_properties_stay_when_it_is_read_and_saved(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    raw = {
        "id": "wid",
        "thread_id": thread_id,
        "created_at": "2026-01-01T00:00:00",
        "type": "widget",
        "widget": {
            "type": "Card",
            "shine": 3,
            "children": [{"type": "Text", "value": "a", "glow": True}, {"type": "Text", "value": "b"}],
        },
    }
    await write_raw(store, kit, thread_id, raw)
    widget = await kit.load_item(thread_id, "wid", ADA)
    assert isinstance(widget, WidgetItem)
    await kit.save_item(thread_id, widget, ADA)
    assert await read_raw(store, kit, thread_id, "wid") == raw
    widget.copy_text = "copied"
    await kit.save_item(thread_id, widget, ADA)
    assert await read_raw(store, kit, thread_id, "wid") == {**raw, "copy_text": "copied"}
    widget.widget = Card(children=[Text(value="new")])
    await kit.save_item(thread_id, widget, ADA)
    changed = (await read_raw(store, kit, thread_id, "wid"))["widget"]
    assert (changed["shine"], changed["children"][0]["value"], len(changed["children"])) == (3, "new", 1)
    assert "glow" not in changed["children"][0]


async def test_an_unknown_type_does_not_fail_its_page(
    store: Store, kit: Kit, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    thread_id = await start(server, ADA)
    await write_raw(store, kit, thread_id, newer_item(thread_id))
    await store.items.append(kit.ref_of(thread_id, ADA), NewItem(b"\xff no JSON", id="broken"))
    await kit.add_thread_item(thread_id, answer(thread_id, "after", id="msg_after"), ADA)
    with caplog.at_level(logging.WARNING, "clew.adapters.chatkit"):
        page = await kit.load_thread_items(thread_id, None, 20, "asc", ADA)
    assert [item.id for item in page.data][2:] == ["new_1", "broken", "msg_after"]
    assert "'new_1' is hidden" in caplog.text
    hidden = page.data[2]
    assert isinstance(hidden, SDKHiddenContextItem)
    assert hidden.content == UNREADABLE
    assert await kit.load_item(thread_id, "new_1", ADA) == hidden
    shown = await ask(server, "items.list", ADA, thread_id=thread_id, limit=3, order="asc")
    assert (len(shown["data"]), shown["has_more"], shown["after"]) == (2, True, "new_1")
    shown = await ask(server, "items.list", ADA, thread_id=thread_id, limit=3, order="asc", after="new_1")
    assert [item["id"] for item in shown["data"]] == ["msg_after"]
    # Saved again as it was loaded, it stays what it is.
    await kit.save_item(thread_id, hidden, ADA)
    assert await read_raw(store, kit, thread_id, "new_1") == newer_item(thread_id)


async def test_a_repeated_add_changes_the_item_in_its_place(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    for id in ("a", "b", "c"):
        await kit.add_thread_item(thread_id, answer(thread_id, id, id=id), ADA)
    await kit.add_thread_item(thread_id, answer(thread_id, "again", id="a"), ADA)
    page = await kit.load_thread_items(thread_id, None, 9, "asc", ADA)
    assert [(item.id, item.content[0].text) for item in page.data] == [("a", "again"), ("b", "b"), ("c", "c")]  # type: ignore[union-attr]


@pytest.mark.parametrize("loaded_first", [True, False])
async def test_what_is_done_never_becomes_pending_again(kit: Kit, loaded_first: bool) -> None:
    thread_id = await make_thread(kit, ADA)
    pending = tool_call(thread_id)
    await kit.add_thread_item(thread_id, pending, ADA)
    stale = await kit.load_item(thread_id, pending.id, ADA) if loaded_first else tool_call(thread_id)
    done = await kit.load_item(thread_id, pending.id, ADA)
    assert isinstance(done, ClientToolCallItem)
    done.status, done.output = "completed", 42
    await kit.save_item(thread_id, done, ADA)
    for again in (stale, pending, tool_call(thread_id)):
        await kit.add_thread_item(thread_id, again, ADA)
        await kit.save_item(thread_id, again, ADA)
        assert await kit.load_item(thread_id, pending.id, ADA) == done


async def test_a_placeholder_id_becomes_a_fresh_one_each_time(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    made = [answer(thread_id, str(n), id="__fake_id__") for n in range(3)]
    for item in made:
        await kit.add_thread_item(thread_id, item, ADA)
    ids = [item.id for item in made]
    assert len(set(ids)) == 3
    assert all(id.startswith("msg_") and len(id) == 36 for id in ids)
    assert await ids_of(kit, thread_id, ADA) == ids


async def test_a_deleted_item_may_be_deleted_again(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="a"), ADA)
    await kit.delete_thread_item(thread_id, "a", ADA)
    for thread, id in ((thread_id, "a"), (thread_id, "never"), (thread_id, "y" * 10_000), ("thr_never", "a")):
        if len(id) < 1000:
            await kit.delete_thread_item(thread, id, ADA)
    assert await ids_of(kit, thread_id, ADA) == []


async def test_an_item_copied_to_another_thread_is_a_new_one_there(kit: Kit) -> None:
    one, two = await make_thread(kit, ADA), await make_thread(kit, ADA)
    await kit.add_thread_item(one, answer(one, "x", id="a"), ADA)
    await kit.add_thread_item(two, await kit.load_item(one, "a", ADA), ADA)
    assert await ids_of(kit, two, ADA) == ["a"]


async def test_what_is_no_json_is_refused_in_plain_words(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    for content in (object(), "x" * 9_000_000):
        item = HiddenContextItem(id="h", thread_id=thread_id, created_at=datetime.now(), content=content)
        with pytest.raises(StoreRefusedError, match="cannot be saved") as caught:
            await kit.add_thread_item(thread_id, item, ADA)
        assert caught.value.allow_retry is False
    assert await ids_of(kit, thread_id, ADA) == []


async def test_langgraphs_messages_are_shown_and_stay_what_they_are_when_they_are_saved(store: Store, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    ref = kit.ref_of(thread_id, ADA)
    messages = [HumanMessage("Hello"), AIMessage("Good morning"), SystemMessage("Be brief.")]
    for message, author in zip(messages, ("user", "assistant", "system"), strict=True):
        kind, data = JsonPlusSerializer().dumps_typed(message)
        await store.items.append(ref, NewItem(data, codec=f"langgraph/{kind}", author=author))
    before = list(await store.items.page(ref))
    shown = (await kit.load_thread_items(thread_id, None, 9, "asc", ADA)).data
    assert [item.type for item in shown] == ["user_message", "assistant_message", "sdk_hidden_context"]
    for item in shown:
        if isinstance(item, AssistantMessageItem):
            assert item.content[0].text == "Good morning"
            item.content[0].text = "changed"
        await kit.save_item(thread_id, item, ADA)
    assert list(await store.items.page(ref)) == before
