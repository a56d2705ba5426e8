"""Answers as runs: how each of them ends, what is kept of it, and what stays of a process that is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
)

import clew
from clew import Ref
from clew.adapters.chatkit import Answer, BadRequestError, BusyError, ChatKitStore, DurableServer
from clew.errors import InvalidError, NotFoundError, UnavailableError
from tests.support import wait_until

from .driver import ADA, BOB, Context, Respond, Server, ids_of, make_thread, says, text_of


def request(type: str, **params: object) -> str:
    """Return a ChatKit request."""
    return json.dumps({"type": type, "params": params})


async def ask(durable: DurableServer[Context], thread: str, context: Context = ADA) -> Answer:
    """Say something in a thread, and return the answer that has begun."""
    found = await durable.process(request("threads.add_user_message", thread_id=thread, input=says("hello")), context)
    assert isinstance(found, Answer)
    return found


async def read(found: Answer) -> list[str]:
    """Read an answer to its end, and return the types of its frames."""
    return [json.loads(frame.removeprefix(b"data: "))["type"] async for frame in found.frames if frame.startswith(b"data")]


def speaking(gate: asyncio.Event, *, then: Exception | None = None) -> Respond:
    """Return an answer that says "half", waits for the gate, and then ends with "whole", or with an error."""

    async def script(thread: ThreadMetadata, message: object, context: Context) -> AsyncIterator[ThreadStreamEvent]:
        item = AssistantMessageItem(id=f"msg_{clew.ids.new_id()}", thread_id=thread.id, created_at=datetime.now(), content=[])
        yield ThreadItemAddedEvent(item=item)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=AssistantMessageContentPartTextDelta(content_index=0, delta="half"))
        await gate.wait()
        if then is not None:
            raise then
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [AssistantMessageContent(text="whole")]}))

    return script


async def texts(kit: ChatKitStore[Context], thread: str) -> list[str]:
    """Return what a thread's items say, hidden ones by their type."""
    page = await kit.load_thread_items(thread, None, 100, "asc", ADA)
    return [text_of(item) if item.type in ("user_message", "assistant_message") else item.type for item in page.data]


async def said_half(kit: ChatKitStore[Context], thread: str, run: str) -> bool:
    """Tell whether the run's log has the first half."""
    events = (await kit.clew.runs.events(Ref("ada", thread), run)).events
    return any(b"half" in event.data for event in events)


@pytest.fixture
def durable(server: Server) -> DurableServer[Context]:
    """The scripted server, whose answers outlive their requests."""
    return DurableServer(server, beat=0.05)


async def test_a_whole_answer_is_kept_by_chatkit_and_its_run_is_done(
    durable: DurableServer[Context], kit: ChatKitStore[Context]
) -> None:
    thread = await make_thread(kit, ADA)
    found = await ask(durable, thread)
    assert (await read(found))[-1] == "thread.item.done"
    assert await texts(kit, thread) == ["hello", "I heard: hello"]
    run = await kit.clew.runs.get(Ref("ada", thread), found.run_id)
    assert run.state == "done"


async def test_a_reader_that_is_cancelled_in_mid_answer_changes_nothing(
    durable: DurableServer[Context], server: Server, kit: ChatKitStore[Context]
) -> None:
    gate = asyncio.Event()
    server.script = speaking(gate)
    thread = await make_thread(kit, ADA)
    found = await ask(durable, thread)
    reading = asyncio.create_task(read(found))
    await wait_until(lambda: said_half(kit, thread, found.run_id))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    gate.set()
    await wait_until(lambda: durable.busy == 0)
    assert await texts(kit, thread) == ["hello", "whole"]


async def test_a_stop_calls_the_servers_hook_and_an_error_keeps_the_half(
    durable: DurableServer[Context], server: Server, kit: ChatKitStore[Context]
) -> None:
    server.script = speaking(asyncio.Event())
    thread = await make_thread(kit, ADA)
    found = await ask(durable, thread)
    await wait_until(lambda: said_half(kit, thread, found.run_id))
    await durable.stop(thread, found.run_id, ADA)
    # It waits for the one that was stopped.
    opened = asyncio.Event()
    opened.set()
    server.script = speaking(opened, then=RuntimeError("it was told to"))
    assert "error" in await read(await ask(durable, thread))
    await wait_until(lambda: durable.busy == 0)
    assert await texts(kit, thread) == ["hello", "half", "sdk_hidden_context", "hello", "half", "sdk_hidden_context"]
    standing = await durable.standing(thread, ADA)
    assert list(standing.marks.values()) == ["stopped", "failed"]


async def test_a_second_turn_is_refused_and_another_owners_is_not_found(
    durable: DurableServer[Context], server: Server, kit: ChatKitStore[Context]
) -> None:
    gate = asyncio.Event()
    server.script = speaking(gate)
    thread = await make_thread(kit, ADA)
    found = await ask(durable, thread)
    with pytest.raises(BusyError) as busy:
        await ask(durable, thread)
    assert busy.value.run_id == found.run_id
    for call in (
        lambda: ask(durable, thread, BOB),
        lambda: durable.stop(thread, found.run_id, BOB),
        lambda: durable.events(thread, found.run_id, BOB),
        lambda: durable.standing(thread, BOB),
    ):
        with pytest.raises(NotFoundError):
            await call()
    gate.set()
    await wait_until(lambda: durable.busy == 0)


async def test_what_fails_before_anything_is_said_is_refused_and_frees_the_thread(
    durable: DurableServer[Context], kit: ChatKitStore[Context]
) -> None:
    thread = await make_thread(kit, ADA)
    with pytest.raises(BadRequestError):
        await durable.process(request("threads.add_client_tool_output", thread_id=thread, result={}), ADA)
    with pytest.raises(NotFoundError):
        await durable.process(request("threads.retry_after_item", thread_id=thread, item_id="msg_nobody"), ADA)
    with pytest.raises(BadRequestError):
        await durable.process("{}", ADA)
    await read(await ask(durable, thread))


async def test_the_end_of_the_process_keeps_and_marks_what_was_said_once(
    durable: DurableServer[Context], server: Server, kit: ChatKitStore[Context]
) -> None:
    server.script = speaking(asyncio.Event())
    thread = await make_thread(kit, ADA)
    found = await ask(durable, thread)
    await wait_until(lambda: said_half(kit, thread, found.run_id))
    await durable.aclose(0.01)
    assert await texts(kit, thread) == ["hello", "half", "sdk_hidden_context"]
    assert (await durable.standing(thread, ADA)).marks == {(await ids_of(kit, thread, ADA))[1]: "interrupted"}
    with pytest.raises(UnavailableError):
        await ask(durable, thread)


async def test_what_a_dead_process_had_said_is_kept_once_however_many_find_it(server: Server, kit: ChatKitStore[Context]) -> None:
    gate = asyncio.Event()
    dying = DurableServer(server, lease=0.3)
    server.script = speaking(gate)
    thread = await make_thread(kit, ADA)
    found = await ask(dying, thread)
    await wait_until(lambda: said_half(kit, thread, found.run_id))
    # Frozen, as far as the store can tell: nobody renews its lease, and it has not noticed.
    for turn in dying._turns.values():
        assert turn._producer is not None
        await turn._producer.aclose()

    async def is_interrupted() -> bool:
        return (await kit.clew.runs.get(Ref("ada", thread), found.run_id)).state == "interrupted"

    await wait_until(is_interrupted)
    server.script = None
    others = [DurableServer(Server(kit)) for _ in range(4)]
    await asyncio.gather(*(other.process(request("threads.get_by_id", thread_id=thread), ADA) for other in others))
    assert await texts(kit, thread) == ["hello", "half", "sdk_hidden_context"]
    await read(await ask(others[0], thread))
    # The zombie wakes: its run is lost to it, so it neither marks nor ends anything.
    gate.set()
    await wait_until(lambda: dying.busy == 0)
    assert await texts(kit, thread) == ["hello", "whole", "sdk_hidden_context", "hello", "I heard: hello"]
    assert (await durable_marks(others[0], thread)) == ["interrupted"]


async def durable_marks(durable: DurableServer[Context], thread: str) -> list[str]:
    """Return the marks of a thread's answers, in order."""
    return list((await durable.standing(thread, ADA)).marks.values())


async def test_a_server_on_another_store_is_refused(server: Server) -> None:
    class Other(ChatKitServer[Context]):
        def respond(self, thread: object, input_user_message: object, context: object) -> AsyncIterator[ThreadStreamEvent]:
            raise AssertionError("nobody asks it")

    with pytest.raises(InvalidError):
        DurableServer(Other(object()))  # type: ignore[arg-type]
