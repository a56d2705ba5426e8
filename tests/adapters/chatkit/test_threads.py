"""A thread's metadata: each save writes what its object changed, and a list that no activity reorders."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageItem,
    ClosedStatus,
    LockedStatus,
    Page,
    Thread,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from clew import Ref, Store
from clew.adapters.chatkit import ChatKitStore, StoreRefusedError

from .driver import ADA, Context, Server, answer, ask, kinds, make_thread, play, says, start

Kit = ChatKitStore[Context]


async def test_metadata_comes_back_as_it_was_saved(kit: Kit) -> None:
    thread = ThreadMetadata(
        id="thr_x",
        created_at=datetime(2026, 1, 2, 3, 4, 5, 6),
        title="Grüße",
        status=ClosedStatus(reason="done"),
        allowed_image_domains=["e.org"],
        metadata={"a": None, "b": {"c": [1, None, "ü"]}, "d/e": False, "f": 0},
    )
    await kit.save_thread(thread, ADA)
    found = await kit.load_thread("thr_x", ADA)
    assert found == thread
    assert (await kit.load_threads(1, None, "desc", ADA)).data == [thread]
    assert json.loads(found.model_dump_json()) == json.loads(thread.model_dump_json())


async def test_every_field_can_be_changed_and_taken_back(kit: Kit) -> None:
    await make_thread(kit, ADA, "thr_x")
    steps: list[dict[str, Any]] = [
        {"title": "one", "metadata": {"a": 1, "b": None}},
        {"title": "", "metadata": {"a": None, "b": 2}, "status": LockedStatus(reason="r")},
        {"title": "two", "metadata": {"b": None}, "allowed_image_domains": []},
        {"title": None, "metadata": {}, "status": ClosedStatus(), "allowed_image_domains": None},
        {"title": "", "metadata": {"b": {}}},
        {"title": None, "metadata": {"b": None}},
    ]
    for step in steps:
        thread = await kit.load_thread("thr_x", ADA)
        for name, value in step.items():
            setattr(thread, name, value)
        await kit.save_thread(thread, ADA)
        assert await kit.load_thread("thr_x", ADA) == thread


async def test_a_stale_object_does_not_undo_a_rename(kit: Kit) -> None:
    await make_thread(kit, ADA, "thr_x")
    turn = await kit.load_thread("thr_x", ADA)
    other = await kit.load_thread("thr_x", ADA)
    other.title = "Renamed"
    other.metadata["theirs"] = 1
    await kit.save_thread(other, ADA)
    turn.metadata["mine"] = 2
    await kit.save_thread(turn, ADA)
    await kit.save_thread(turn.model_copy(deep=True), ADA)
    turn.metadata["mine"] = 3
    await kit.save_thread(turn, ADA)
    found = await kit.load_thread("thr_x", ADA)
    assert (found.title, found.metadata) == ("Renamed", {"theirs": 1, "mine": 3})


async def test_a_rename_during_a_turn_stays_and_so_does_what_the_turn_saved(server: Server, kit: Kit) -> None:
    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        await ask(server, "threads.update", context, thread_id=thread.id, title="Renamed")
        thread.metadata = {**thread.metadata, "step": 1}
        yield ThreadItemDoneEvent(item=answer(thread.id, "1", id="a"))
        thread.metadata = {**thread.metadata, "step": 2}
        yield ThreadItemDoneEvent(item=answer(thread.id, "2", id="b"))

    thread_id = await start(server, ADA)
    server.script = script
    events = await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("go"))
    assert kinds(events).count("thread.updated") == 2
    found = await kit.load_thread(thread_id, ADA)
    assert (found.title, found.metadata) == ("Renamed", {"step": 2})
    created = (await play(server, "threads.create", ADA, input=says("go")))[0]["thread"]["id"]
    found = await kit.load_thread(created, ADA)
    assert (found.title, found.metadata) == ("Renamed", {"step": 2})


async def test_nothing_changed_is_no_update_of_the_thread(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA)
    events = await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("go"))
    assert "thread.updated" not in kinds(events)


async def test_a_thread_with_items_is_saved_without_them(kit: Kit, server: Server) -> None:
    items: Page[Any] = Page(data=[answer("thr_x", "embedded", id="a")])
    await kit.save_thread(Thread(id="thr_x", created_at=datetime.now(), title="t", items=items), ADA)
    assert type(await kit.load_thread("thr_x", ADA)) is ThreadMetadata
    assert (await kit.load_thread_items("thr_x", None, 10, "asc", ADA)).data == []
    assert (await ask(server, "threads.get_by_id", ADA, thread_id="thr_x"))["items"]["data"] == []


async def test_fields_of_a_newer_sdk_survive(kit: Kit, store: Store) -> None:
    await make_thread(kit, ADA, "thr_x", title="t")
    await store.threads.put(
        Ref("ada", "thr_x"), notes={"chatkit/mood": "sunny", "chatkit/status": {"type": "archived", "by": "x"}}
    )
    thread = await kit.load_thread("thr_x", ADA)
    assert thread.status == LockedStatus()
    assert len((await kit.load_threads(9, None, "asc", ADA)).data) == 1
    thread.title = "u"
    await kit.save_thread(thread, ADA)
    notes = (await store.threads.get(Ref("ada", "thr_x"))).notes
    assert (notes["chatkit/mood"], notes["chatkit/status"]) == ("sunny", {"type": "archived", "by": "x"})


async def test_a_thread_of_other_means_is_one_of_chatkits_too(kit: Kit, store: Store) -> None:
    made = await store.threads.create("ada", title="By hand", metadata={"a": 1})
    thread = await kit.load_thread(made.id, ADA)
    assert (thread.title, thread.metadata, thread.status.type) == ("By hand", {"a": 1}, "active")
    assert thread.created_at == made.created_at.astimezone().replace(tzinfo=None)
    thread.title = "By ChatKit"
    await kit.save_thread(thread, ADA)
    assert (await store.threads.get(made)).title == "By ChatKit"


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_threads_are_listed_as_they_were_made_whatever_happens_in_them(kit: Kit, order: str) -> None:
    made = [await make_thread(kit, ADA) for _ in range(7)]
    await kit.add_thread_item(made[0], answer(made[0], "x", id="a"), ADA)
    expected = made if order == "asc" else made[::-1]
    found: list[str] = []
    after = None
    for _ in range(4):
        page = await kit.load_threads(2, after, order, ADA)
        found += [thread.id for thread in page.data]
        await kit.add_thread_item(made[3], answer(made[3], "x", id=f"i{len(found)}"), ADA)
        assert page.has_more is (len(found) < 7)
        assert page.after == (found[-1] if page.has_more else None)
        after = page.after
    assert found == expected


async def test_a_deleted_thread_is_still_a_cursor(kit: Kit) -> None:
    made = [await make_thread(kit, ADA) for _ in range(5)]
    page = await kit.load_threads(2, None, "desc", ADA)
    await kit.delete_thread(made[3], ADA)
    await kit.delete_thread(made[2], ADA)
    assert page.after == made[3]
    assert [thread.id for thread in (await kit.load_threads(9, page.after, "desc", ADA)).data] == [made[1], made[0]]


async def test_a_late_write_does_not_bring_a_deleted_thread_back(kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    thread = await kit.load_thread(thread_id, ADA)
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="a"), ADA)
    loaded = await kit.load_item(thread_id, "a", ADA)
    assert isinstance(loaded, AssistantMessageItem)
    await kit.delete_thread(thread_id, ADA)
    bare = ThreadMetadata(id=thread_id, created_at=datetime.now())
    for write in (
        kit.add_thread_item(thread_id, answer(thread_id, "late", id="b"), ADA),
        kit.save_item(thread_id, loaded, ADA),
        kit.save_thread(thread, ADA),
        kit.save_thread(bare, ADA),
        kit.load_item(thread_id, "a", ADA),
    ):
        with pytest.raises(NotFoundError):
            await write
    await kit.delete_thread_item(thread_id, "a", ADA)
    await kit.delete_thread(thread_id, ADA)
    assert (await kit.load_thread_items(thread_id, None, 9, "asc", ADA)).data == []
    assert (await kit.load_threads(9, None, "asc", ADA)).data == []


async def test_an_item_needs_its_thread(kit: Kit) -> None:
    with pytest.raises(NotFoundError):
        await kit.add_thread_item("thr_never", answer("thr_never", "x", id="a"), ADA)
    assert (await kit.load_threads(9, None, "asc", ADA)).data == []


async def test_a_title_that_is_too_long_is_refused_in_plain_words(kit: Kit, server: Server) -> None:
    await make_thread(kit, ADA, "thr_x", title="t")
    with pytest.raises(StoreRefusedError, match="title"):
        await ask(server, "threads.update", ADA, thread_id="thr_x", title="x" * 5000)
    assert (await kit.load_thread("thr_x", ADA)).title == "t"
    assert (await ask(server, "threads.update", ADA, thread_id="thr_x", title=""))["title"] == ""
    assert (await kit.load_thread("thr_x", ADA)).title == ""


async def test_ids_have_chatkits_prefixes_and_128_bits(kit: Kit) -> None:
    thread = ThreadMetadata(id=kit.generate_thread_id(ADA), created_at=datetime.now())
    assert thread.id.startswith("thr_")
    prefixes = {
        "message": "msg",
        "tool_call": "tc",
        "workflow": "wf",
        "task": "tsk",
        "attachment": "atc",
        "sdk_hidden_context": "shcx",
    }
    for kind, prefix in prefixes.items():
        made = {kit.generate_item_id(kind, thread, ADA) for _ in range(1000)}  # type: ignore[arg-type]
        assert len(made) == 1000
        assert all(id.startswith(f"{prefix}_") and len(id) == len(prefix) + 33 for id in made)
