"""A thread that is deleted takes its attachments along, whatever happens in the middle."""

from __future__ import annotations

import asyncio

import pytest
from chatkit.store import NotFoundError
from chatkit.types import FileAttachment

from clew import Store, UnavailableError
from clew.adapters.chatkit import ChatKitStore, StoreAwayError

from .driver import ADA, BOB, Context, Server, ask, play, says, start

Kit = ChatKitStore[Context]


class Bytes:
    """An attachment store's part in a deletion: a set of ids, which may be away."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.away = False

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        if self.away:
            raise UnavailableError("the bytes are away")
        self.kept.discard(attachment_id)


async def attach(kit: Kit, attachments: Bytes, context: Context, id: str) -> str:
    """Keep an attachment, and return its id."""
    await kit.save_attachment(FileAttachment(id=id, name="a.txt", mime_type="text/plain", metadata={"own": 1}), context)
    attachments.kept.add(id)
    return id


@pytest.fixture
def attachments() -> Bytes:
    return Bytes()


@pytest.fixture
def kit(store: Store, attachments: Bytes) -> Kit:
    return ChatKitStore(store, attachments=attachments)


async def test_a_thread_takes_its_attachments_along_and_no_others(server: Server, kit: Kit, attachments: Bytes) -> None:
    for id in ("one", "two", "three", "elsewhere"):
        await attach(kit, attachments, ADA, id)
    thread_id = await start(server, ADA, attachments=["one", "two"])
    await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("x", attachments=["three"]))
    other = await start(server, ADA, attachments=["elsewhere"])
    assert (await kit.load_attachment("one", ADA)).thread_id == thread_id
    await ask(server, "threads.delete", ADA, thread_id=thread_id)
    assert attachments.kept == {"elsewhere"}
    for id in ("one", "two", "three"):
        with pytest.raises(NotFoundError):
            await kit.load_attachment(id, ADA)
    with pytest.raises(NotFoundError):
        await kit.load_thread(thread_id, ADA)
    assert (await kit.load_attachment("elsewhere", ADA)).thread_id == other


async def test_what_breaks_off_is_finished_by_the_next_deletion(server: Server, kit: Kit, attachments: Bytes) -> None:
    await attach(kit, attachments, ADA, "one")
    thread_id = await start(server, ADA, attachments=["one"])
    attachments.away = True
    with pytest.raises(StoreAwayError):
        await kit.delete_thread(thread_id, ADA)
    assert (await kit.load_thread(thread_id, ADA)).id == thread_id
    attachments.away = False
    await kit.delete_thread(thread_id, ADA)
    assert attachments.kept == set()
    with pytest.raises(NotFoundError):
        await kit.load_thread(thread_id, ADA)


async def test_another_user_deletes_nothing(server: Server, kit: Kit, attachments: Bytes) -> None:
    await attach(kit, attachments, ADA, "one")
    thread_id = await start(server, ADA, attachments=["one"])
    await kit.delete_thread(thread_id, BOB)
    assert attachments.kept == {"one"}
    assert (await kit.load_attachment("one", ADA)).thread_id == thread_id


async def test_a_message_that_comes_while_a_thread_is_deleted_leaves_nothing_behind(
    server: Server, kit: Kit, attachments: Bytes
) -> None:
    for id in ("one", "two"):
        await attach(kit, attachments, ADA, id)
    thread_id = await start(server, ADA, attachments=["one"])
    sent = play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("x", attachments=["two"]))
    await asyncio.gather(sent, kit.delete_thread(thread_id, ADA), return_exceptions=True)
    with pytest.raises(NotFoundError):
        await kit.load_thread(thread_id, ADA)
    # Either the message came too late and its file is unclaimed, or it went with the thread; never half of it.
    assert "one" not in attachments.kept


async def test_metadata_of_an_attachment_is_saved_again_and_keeps_what_is_unknown(
    store: Store, kit: Kit, attachments: Bytes
) -> None:
    raw = {"id": "atc_1", "name": "a.txt", "mime_type": "text/plain", "type": "file", "colour": "red", "metadata": {"k": 1}}
    await store.values("clew:chatkit:attachment:ada:").put("atc_1", raw)
    found = await kit.load_attachment("atc_1", ADA)
    await kit.save_attachment(found.model_copy(update={"thread_id": "thr_1"}), ADA)
    value = await store.values("clew:chatkit:attachment:ada:").get("atc_1")
    assert value is not None
    assert value.value == {**raw, "thread_id": "thr_1"}
    await kit.delete_attachment("atc_1", ADA)
    await kit.delete_attachment("atc_1", ADA)
    with pytest.raises(NotFoundError):
        await kit.load_attachment("atc_1", ADA)
