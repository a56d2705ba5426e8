"""Two users who know each other's ids: neither finds, lists, changes or deletes what is the other's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import FileAttachment, ThreadMetadata

from clew import InvalidError, Store
from clew.adapters.chatkit import ChatKitStore

from .driver import ADA, BOB, Context, Server, answer, ask, ids_of, make_thread, play, says, start, text_of

Kit = ChatKitStore[Context]


async def test_nothing_of_another_user_is_found_or_changed(server: Server, kit: Kit) -> None:
    thread_id = await start(server, ADA, "secret")
    items = await ids_of(kit, thread_id, ADA)
    before = await kit.load_thread_items(thread_id, None, 100, "asc", ADA)
    thread = await kit.load_thread(thread_id, ADA)
    for attempt in (
        kit.load_thread(thread_id, BOB),
        kit.load_item(thread_id, items[0], BOB),
        kit.add_thread_item(thread_id, answer(thread_id, "bob was here", id="b"), BOB),
        kit.save_item(thread_id, before.data[0], BOB),
        kit.save_item(thread_id, answer(thread_id, "bob was here", id=items[1]), BOB),
        kit.load_thread_items(thread_id, items[0], 10, "asc", BOB),
        kit.load_threads(10, thread_id, "asc", BOB),
        ask(server, "threads.get_by_id", BOB, thread_id=thread_id),
        ask(server, "threads.update", BOB, thread_id=thread_id, title="bob's"),
        play(server, "threads.add_user_message", BOB, thread_id=thread_id, input=says("hi")),
        play(server, "threads.add_client_tool_output", BOB, thread_id=thread_id, result=1),
        play(server, "threads.retry_after_item", BOB, thread_id=thread_id, item_id=items[0]),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert (await kit.load_thread_items(thread_id, None, 10, "asc", BOB)).data == []
    assert (await ask(server, "items.list", BOB, thread_id=thread_id, limit=5, order="asc"))["data"] == []
    assert (await ask(server, "threads.list", BOB))["data"] == []
    await kit.delete_thread_item(thread_id, items[0], BOB)
    await ask(server, "threads.delete", BOB, thread_id=thread_id)
    assert await kit.load_thread_items(thread_id, None, 100, "asc", ADA) == before
    assert await kit.load_thread(thread_id, ADA) == thread


async def test_one_thread_id_may_be_both_users(kit: Kit) -> None:
    for context, word in ((ADA, "ada's"), (BOB, "bob's")):
        await kit.save_thread(ThreadMetadata(id="thr_same", created_at=datetime.now(), title=word, metadata={word: 1}), context)
        await kit.add_thread_item("thr_same", answer("thr_same", word, id="msg_same"), context)
    for context, word in ((ADA, "ada's"), (BOB, "bob's")):
        thread = await kit.load_thread("thr_same", context)
        assert (thread.title, thread.metadata) == (word, {word: 1})
        (item,) = (await kit.load_thread_items("thr_same", None, 10, "asc", context)).data
        assert text_of(item) == word
    await kit.delete_thread("thr_same", BOB)
    assert (await kit.load_thread("thr_same", ADA)).title == "ada's"
    assert await ids_of(kit, "thr_same", ADA) == ["msg_same"]


async def test_one_user_saving_an_id_twice_changes_one_thread(kit: Kit) -> None:
    first = ThreadMetadata(id="thr_same", created_at=datetime(2026, 1, 1), title="first", metadata={"a": 1})
    await kit.save_thread(first, ADA)
    await kit.add_thread_item("thr_same", answer("thr_same", "x", id="a"), ADA)
    await kit.save_thread(ThreadMetadata(id="thr_same", created_at=datetime(2026, 1, 2), metadata={"b": 2}), ADA)
    found = await kit.load_thread("thr_same", ADA)
    assert (found.title, found.metadata) == ("first", {"a": 1, "b": 2})
    assert await ids_of(kit, "thr_same", ADA) == ["a"]
    assert len((await kit.load_threads(9, None, "asc", ADA)).data) == 1


async def test_attachments_are_their_owners_alone(kit: Kit) -> None:
    for context, name in ((ADA, "a.txt"), (BOB, "b.txt")):
        await kit.save_attachment(FileAttachment(id="atc_same", name=name, mime_type="text/plain"), context)
    await kit.save_attachment(FileAttachment(id="atc_ada", name="a", mime_type="text/plain"), ADA)
    assert (await kit.load_attachment("atc_same", ADA)).name == "a.txt"
    for id in ("atc_ada", "ada:atc_same", "../ada:atc_ada", "x" * 10_000, ""):
        with pytest.raises(NotFoundError):
            await kit.load_attachment(id, BOB)
    await kit.delete_attachment("atc_ada", BOB)
    await kit.delete_attachment("atc_same", BOB)
    assert (await kit.load_attachment("atc_same", ADA)).name == "a.txt"
    assert (await kit.load_attachment("atc_ada", ADA)).name == "a"


@pytest.mark.parametrize("pair", [("a", "a:b"), ("a:b", "a"), ("a/b", "a%2Fb"), ("{a}", "a"), ("*", "a")])
async def test_owners_of_odd_names_do_not_meet(kit: Kit, pair: tuple[str, str]) -> None:
    one, two = ({"owner": name} for name in pair)
    await make_thread(kit, one, "b:thr", title="one's")
    await make_thread(kit, two, "thr", title="two's")
    await kit.save_attachment(FileAttachment(id="b:atc", name="one's", mime_type="text/plain"), one)
    for context, id in ((one, "thr"), (two, "b:thr")):
        with pytest.raises(NotFoundError):
            await kit.load_thread(id, context)
    for id in ("atc", "b:atc"):
        with pytest.raises(NotFoundError):
            await kit.load_attachment(id, two)
    assert [thread.title for thread in (await kit.load_threads(9, None, "asc", one)).data] == ["one's"]


@dataclass
class Request:
    """A context with attributes."""

    user_id: str | None = None
    owner: str | None = None


@pytest.mark.parametrize(
    "context",
    [{"owner": "ada"}, {"user_id": "ada"}, {"owner": "ada", "user_id": "x"}, Request("ada"), SimpleNamespace(owner="ada")],
)
async def test_the_owner_is_found_in_the_context(store: Store, context: Any) -> None:
    kit: ChatKitStore[Any] = ChatKitStore(store)
    assert kit.owner_of(context) == "ada"


@pytest.mark.parametrize(
    "context", [None, {}, {"owner": None}, {"owner": ""}, {"owner": 7}, Request(), "ada", {"owner": "x" * 600}]
)
async def test_a_request_that_names_nobody_is_refused_by_every_method(store: Store, context: Any) -> None:
    kit: ChatKitStore[Any] = ChatKitStore(store)
    thread = ThreadMetadata(id="t", created_at=datetime.now())
    file = FileAttachment(id="atc", name="a", mime_type="text/plain")
    for call in (
        kit.load_thread("t", context),
        kit.save_thread(thread, context),
        kit.load_thread_items("t", None, 1, "asc", context),
        kit.load_threads(1, None, "asc", context),
        kit.add_thread_item("t", answer("t", "x", id="a"), context),
        kit.save_item("t", answer("t", "x", id="a"), context),
        kit.load_item("t", "a", context),
        kit.delete_thread("t", context),
        kit.delete_thread_item("t", "a", context),
        kit.save_attachment(file, context),
        kit.load_attachment("atc", context),
        kit.delete_attachment("atc", context),
    ):
        with pytest.raises(InvalidError, match=r"owner|user_id"):
            await call


async def test_an_owner_may_be_given_once_or_asked_for(store: Store) -> None:
    assert ChatKitStore[None](store, owner="ada").owner_of(None) == "ada"
    kit: ChatKitStore[Request] = ChatKitStore(store, owner=lambda request: f"user-{request.user_id}")
    assert kit.owner_of(Request("7")) == "user-7"
    for owner in ("", 7):
        with pytest.raises(InvalidError):
            ChatKitStore(store, owner=owner)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="clew store"):
        ChatKitStore("memory://", owner="ada")  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="max_page"):
        ChatKitStore(store, max_page=0)


async def test_two_users_at_once_get_their_own(server: Server, kit: Kit) -> None:
    contexts = [{"owner": f"user-{n}"} for n in range(10)]
    made = await asyncio.gather(*(start(server, context, context["owner"]) for context in contexts))
    for context, thread_id in zip(contexts, made, strict=True):
        page = await kit.load_thread_items(thread_id, None, 9, "asc", context)
        assert [text_of(item) for item in page.data] == [context["owner"], f"I heard: {context['owner']}"]
        assert [thread.id for thread in (await kit.load_threads(9, None, "asc", context)).data] == [thread_id]
