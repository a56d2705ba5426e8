"""Each method of ChatKit's store as a case: what one worker prepares, and the one call that another worker makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeAlias

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    FileAttachment,
    InferenceOptions,
    Thread,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

from clew.adapters.chatkit import ChatKitStore

Kit: TypeAlias = ChatKitStore[None]
Call: TypeAlias = Callable[[], Awaitable[object]]
Case: TypeAlias = Callable[[Kit, Kit], Awaitable[Call]]
"""Takes the worker that wrote what is there, and the one that makes the call; returns the call."""


def message(kit: Kit, thread_id: str, text: str = "An answer of a few words.") -> AssistantMessageItem:
    """Return an assistant's message of a fresh id."""
    bare = ThreadMetadata(id=thread_id, created_at=datetime.now())
    content = [AssistantMessageContent(text=text)]
    id = kit.generate_item_id("message", bare, None)
    return AssistantMessageItem(id=id, thread_id=thread_id, created_at=datetime.now(), content=content)


async def make_thread(kit: Kit, count: int = 0) -> tuple[str, list[str]]:
    """Make a thread with so many items; return its id and theirs."""
    thread = ThreadMetadata(id=kit.generate_thread_id(None), created_at=datetime.now(), title="A thread", metadata={"a": 1})
    await kit.save_thread(thread, None)
    items = [message(kit, thread.id) for _ in range(count)]
    for item in items:
        await kit.add_thread_item(thread.id, item, None)
    return thread.id, [item.id for item in items]


async def _save_new_thread(writer: Kit, kit: Kit) -> Call:
    thread = ThreadMetadata(id=kit.generate_thread_id(None), created_at=datetime.now())
    return lambda: kit.save_thread(thread, None)


async def _save_the_thread_of_a_turn(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer)
    # As the server has it when it made the thread in this very turn.
    thread = Thread(id=thread_id, created_at=datetime.now(), title="Named", items={"data": []})  # type: ignore[arg-type]
    return lambda: kit.save_thread(thread, None)


async def _save_changed_thread(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer)
    thread = await kit.load_thread(thread_id, None)
    thread.title, thread.metadata["b"] = "Changed", 2
    return lambda: kit.save_thread(thread, None)


async def _load_thread(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer, 3)
    return lambda: kit.load_thread(thread_id, None)


def _load_threads(after: bool, order: str) -> Case:
    async def case(writer: Kit, kit: Kit) -> Call:
        made = [(await make_thread(writer))[0] for _ in range(25)]
        return lambda: kit.load_threads(20, made[12] if after else None, order, None)

    return case


def _load_items(after: bool, order: str) -> Case:
    async def case(writer: Kit, kit: Kit) -> Call:
        thread_id, ids = await make_thread(writer, 50)
        return lambda: kit.load_thread_items(thread_id, ids[25] if after else None, 20, order, None)

    return case


async def _load_no_items(writer: Kit, kit: Kit) -> Call:
    return lambda: kit.load_thread_items("thr_nobody", None, 20, "asc", None)


async def _add_item(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer, 3)
    return lambda: kit.add_thread_item(thread_id, message(kit, thread_id), None)


async def _add_item_with_attachment(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer, 3)
    file = FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain", thread_id=thread_id)
    content = UserMessageTextContent(text="look")
    item = UserMessageItem(
        id=message(kit, thread_id).id,
        thread_id=thread_id,
        created_at=datetime.now(),
        content=[content],
        attachments=[file],
        inference_options=InferenceOptions(),
    )
    return lambda: kit.add_thread_item(thread_id, item, None)


async def _add_loaded_item(writer: Kit, kit: Kit) -> Call:
    thread_id, ids = await make_thread(writer, 3)
    item = await kit.load_item(thread_id, ids[1], None)
    assert isinstance(item, AssistantMessageItem)
    item.content.append(AssistantMessageContent(text="more"))
    return lambda: kit.add_thread_item(thread_id, item, None)


async def _save_item(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer, 3)
    call = ClientToolCallItem(
        id="tc_1", thread_id=thread_id, created_at=datetime.now(), call_id="call_1", name="pick", arguments={"a": 1}
    )
    await writer.add_thread_item(thread_id, call, None)
    (loaded,) = (await kit.load_thread_items(thread_id, None, 1, "desc", None)).data
    assert isinstance(loaded, ClientToolCallItem)
    loaded.status, loaded.output = "completed", {"picked": 1}
    return lambda: kit.save_item(thread_id, loaded, None)


async def _save_item_made_anew(writer: Kit, kit: Kit) -> Call:
    thread_id, ids = await make_thread(writer, 3)
    item = message(kit, thread_id, "Said anew.").model_copy(update={"id": ids[1]})
    return lambda: kit.save_item(thread_id, item, None)


async def _load_item(writer: Kit, kit: Kit) -> Call:
    thread_id, ids = await make_thread(writer, 3)
    return lambda: kit.load_item(thread_id, ids[1], None)


async def _delete_item(writer: Kit, kit: Kit) -> Call:
    thread_id, ids = await make_thread(writer, 3)
    return lambda: kit.delete_thread_item(thread_id, ids[1], None)


async def _delete_thread(writer: Kit, kit: Kit) -> Call:
    thread_id, _ = await make_thread(writer, 3)
    return lambda: kit.delete_thread(thread_id, None)


async def _attach(writer: Kit) -> FileAttachment:
    file = FileAttachment(id=f"atc_{writer.generate_thread_id(None)}", name="a.txt", mime_type="text/plain")
    await writer.save_attachment(file, None)
    return file


async def _save_attachment(writer: Kit, kit: Kit) -> Call:
    file = FileAttachment(id=f"atc_{writer.generate_thread_id(None)}", name="a.txt", mime_type="text/plain")
    return lambda: kit.save_attachment(file, None)


async def _save_loaded_attachment(writer: Kit, kit: Kit) -> Call:
    file = await kit.load_attachment((await _attach(writer)).id, None)
    return lambda: kit.save_attachment(file.model_copy(update={"thread_id": "thr_1"}), None)


async def _load_attachment(writer: Kit, kit: Kit) -> Call:
    file = await _attach(writer)
    return lambda: kit.load_attachment(file.id, None)


async def _delete_attachment(writer: Kit, kit: Kit) -> Call:
    file = await _attach(writer)
    return lambda: kit.delete_attachment(file.id, None)


METHODS: Final[dict[str, Case]] = {
    "load_thread": _load_thread,
    "save_thread/new": _save_new_thread,
    "save_thread/changed": _save_changed_thread,
    "save_thread/of-this-turn": _save_the_thread_of_a_turn,
    "load_thread_items/first-asc": _load_items(False, "asc"),
    "load_thread_items/first-desc": _load_items(False, "desc"),
    "load_thread_items/after-asc": _load_items(True, "asc"),
    "load_thread_items/after-desc": _load_items(True, "desc"),
    "load_thread_items/none": _load_no_items,
    "save_attachment/new": _save_attachment,
    "save_attachment/loaded": _save_loaded_attachment,
    "load_attachment": _load_attachment,
    "delete_attachment": _delete_attachment,
    "load_threads/first": _load_threads(False, "desc"),
    "load_threads/after": _load_threads(True, "desc"),
    "load_threads/after-asc": _load_threads(True, "asc"),
    "add_thread_item/new": _add_item,
    "add_thread_item/with-attachment": _add_item_with_attachment,
    "add_thread_item/again": _add_loaded_item,
    "save_item": _save_item,
    "load_item": _load_item,
    "delete_thread": _delete_thread,
    "delete_thread_item": _delete_item,
}
"""Every method of the store, in the order of the SDK's class."""

RARE: Final[dict[str, Case]] = {"save_item/made-anew": _save_item_made_anew}
"""What costs more, and says so: an item made by the application under an id that is there, whose stored form has to be read."""
