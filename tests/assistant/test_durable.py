"""The search animation in an answer that outlives its request: once for every search, whoever leaves, stops or comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import clew
from clew.adapters.chatkit import ChatKitStore
from clew.adapters.chatkit.server import Answer, DurableServer
from clew.assistant.animation import START, STOP

from ..support import wait_until
from .models import scripted
from .server import ADA, NOBODY, Context, Waiting, by_rule, message, progress


@pytest.fixture(params=["sqlite", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Any, url_of: Callable[..., str]
) -> AsyncIterator[ChatKitStore[Context]]:
    """A store on each engine."""
    url = f"sqlite:///{tmp_path}/clew.db" if request.param == "sqlite" else url_of("redis-8.2")
    async with clew.connect(url) as opened:
        yield ChatKitStore[Context](opened)


async def ask(server: DurableServer[Context], text: str) -> Answer:
    """Ask in a new thread."""
    answer = await server.process(json.dumps({"type": "threads.create", "params": {"input": message(text)}}), ADA)
    assert isinstance(answer, Answer)
    return answer


async def replayed(server: DurableServer[Context], answer: Answer) -> list[dict[str, Any]]:
    """Return the frames of a run from its first, as somebody who comes back reads them."""
    frames = []
    async for chunk in await server.events(answer.thread_id, answer.run_id, ADA):
        for line in chunk.decode().splitlines():
            if line.startswith("data: {"):
                frames.append(json.loads(line.removeprefix("data: ")))
    return frames


async def test_a_reader_that_leaves_in_a_search_and_comes_back_sees_one_start_and_one_stop(store: ChatKitStore[Context]) -> None:
    with scripted(["It is."]) as model:
        server = DurableServer(by_rule(store, model.url))
        answer = await ask(server, "What is a tombstone?")
        async for frame in answer.frames:
            if START.encode() in frame:
                break
        await answer.frames.aclose()
        frames = await replayed(server, answer)
        await server.aclose()
    assert progress(frames) == [START, STOP]
    assert any(frame.get("type") == "thread.item.done" and frame["item"]["type"] == "assistant_message" for frame in frames)


async def test_a_stop_in_a_search_ends_its_animation_once(store: ChatKitStore[Context]) -> None:
    waiting = Waiting()
    server = DurableServer(by_rule(store, NOBODY, waiting))
    answer = await ask(server, "What is a tombstone?")
    await waiting.begun.wait()
    await server.stop(answer.thread_id, answer.run_id, ADA)
    live = [json.loads(chunk[6:]) async for chunk in answer.frames if chunk.startswith(b"data: {")]
    await wait_until(lambda: server.busy == 0)
    assert progress(live) == progress(await replayed(server, answer)) == [START, STOP]
    await server.aclose()


async def test_the_end_of_the_process_in_a_search_ends_its_animation_once(store: ChatKitStore[Context]) -> None:
    waiting = Waiting()
    server = DurableServer(by_rule(store, NOBODY, waiting))
    answer = await ask(server, "What is a tombstone?")
    await waiting.begun.wait()
    await answer.frames.aclose()
    await server.aclose(grace=0.01)
    other = DurableServer(by_rule(store, NOBODY, waiting))
    assert progress(await replayed(other, answer)) == [START, STOP]
    await other.aclose()
