"""The store away, full or closed: a person is told the truth and whether to try again; nothing is said to be missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime

import pytest
from chatkit.errors import CustomStreamError
from chatkit.store import NotFoundError
from chatkit.types import FileAttachment, ThreadItemDoneEvent, ThreadMetadata, ThreadStreamEvent, UserMessageItem

import clew
from clew import ClosedError, FullError, UnavailableError
from clew.adapters.chatkit import ChatKitStore, StoreAwayError, StoreRefusedError
from servers import Server as RedisServer
from servers import find
from tests.support import with_options

from .driver import ADA, Context, Server, answer, make_thread, play, says, start

Kit = ChatKitStore[Context]
FILE = FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain")
READS: dict[str, Callable[[Kit, str], Awaitable[object]]] = {
    "load_thread": lambda kit, id: kit.load_thread(id, ADA),
    "load_thread_items": lambda kit, id: kit.load_thread_items(id, None, 10, "asc", ADA),
    "load_thread_items after": lambda kit, id: kit.load_thread_items(id, "a", 10, "asc", ADA),
    "load_threads": lambda kit, id: kit.load_threads(10, None, "desc", ADA),
    "load_item": lambda kit, id: kit.load_item(id, "a", ADA),
    "load_attachment": lambda kit, id: kit.load_attachment("atc_1", ADA),
}
WRITES: dict[str, Callable[[Kit, str], Awaitable[object]]] = {
    "save_thread": lambda kit, id: kit.save_thread(ThreadMetadata(id=id, created_at=datetime.now(), title="t"), ADA),
    "add_thread_item": lambda kit, id: kit.add_thread_item(id, answer(id, "x" * 5_000, id="b"), ADA),
    "save_item": lambda kit, id: kit.save_item(id, answer(id, "x" * 5_000, id="a"), ADA),
    "save_attachment": lambda kit, id: kit.save_attachment(FILE, ADA),
}
DELETIONS: dict[str, Callable[[Kit, str], Awaitable[object]]] = {
    "delete_thread": lambda kit, id: kit.delete_thread(id, ADA),
    "delete_thread_item": lambda kit, id: kit.delete_thread_item(id, "a", ADA),
    "delete_attachment": lambda kit, id: kit.delete_attachment("atc_1", ADA),
}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of the test's own, to be broken."""
    with RedisServer(find("redis-8.2")) as running:
        yield running


@pytest.fixture
async def kit(redis: RedisServer) -> AsyncIterator[Kit]:
    async with clew.connect(with_options(redis.url, timeout=0.3)) as store:
        yield ChatKitStore(store)


async def test_every_method_says_that_the_store_is_away_and_works_when_it_is_back(redis: RedisServer, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="a"), ADA)
    await kit.save_attachment(FILE, ADA)
    redis.pause()
    try:
        for call in [*READS.values(), *WRITES.values(), *DELETIONS.values()]:
            with pytest.raises(StoreAwayError, match="try again") as caught:
                await call(kit, thread_id)
            assert caught.value.allow_retry is True
            assert isinstance(caught.value, UnavailableError)
            assert not isinstance(caught.value, NotFoundError)
    finally:
        redis.resume()
    made = await make_thread(kit, ADA)
    await kit.add_thread_item(made, answer(made, "x", id="a"), ADA)
    for call in [*READS.values(), *WRITES.values(), *DELETIONS.values()]:
        await kit.save_attachment(FILE, ADA)
        await call(kit, made) if call is not DELETIONS["delete_thread"] else None


async def test_a_store_that_goes_away_in_a_turn_is_an_error_a_client_can_show(redis: RedisServer, kit: Kit) -> None:
    server = Server(kit)
    thread_id = await start(server, ADA)

    async def script(
        thread: ThreadMetadata, message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        redis.pause()
        yield ThreadItemDoneEvent(item=answer(thread.id, "lost", id="lost"))

    server.script = script
    try:
        events = await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("go"))
    finally:
        redis.resume()
    assert events[-1]["type"] == "error"
    assert (events[-1]["code"], events[-1]["allow_retry"]) == ("custom", True)
    assert "may not have been saved" in events[-1]["message"]


async def test_a_full_store_says_that_it_is_full_and_still_reads_and_deletes(redis: RedisServer, kit: Kit) -> None:
    thread_id = await make_thread(kit, ADA)
    await kit.add_thread_item(thread_id, answer(thread_id, "x", id="a"), ADA)
    await kit.save_attachment(FILE, ADA)
    redis.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.call("CONFIG", "SET", "maxmemory", "1")
    for call in WRITES.values():
        with pytest.raises(StoreRefusedError, match="no room") as caught:
            await call(kit, thread_id)
        assert caught.value.allow_retry is False
        assert isinstance(caught.value, FullError)
    for call in READS.values():
        await call(kit, thread_id)
    await kit.delete_thread(thread_id, ADA)


async def test_a_closed_store_is_the_applications_mistake(redis: RedisServer) -> None:
    store = await clew.connect(redis.url)
    kit: Kit = ChatKitStore(store)
    await store.aclose()
    with pytest.raises(ClosedError) as caught:
        await kit.load_thread("t", ADA)
    assert not isinstance(caught.value, CustomStreamError)
