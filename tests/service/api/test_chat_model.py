"""Channels answered by clew's own agent, and compacted to a summary by the model: a scripted one, and the local one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from clew.adapters.chatkit import CODEC
from clew.assistant.local_model import LocalModel
from clew.service.channels.listening import Listener

from ...assistant.models import Script, ScriptedModel, scripted
from .conftest import JSON, THREADS, Api, Serve, problem
from .test_chat import CHAT, CONVERSATION, items_of, said, say


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    """A scripted model, which the service uses; a test writes its scripts."""
    monkeypatch.delenv("CLEW_MODEL", raising=False)
    with scripted(["nothing"]) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield running


@pytest.fixture
async def api(model: ScriptedModel, serve: Serve) -> Api:
    """A service with its own agent."""
    return await serve(agent=True)


async def compact(api: Api) -> JSON:
    """Compact the conversation, and return the answer."""
    reply = await api.ada.post(f"{CHAT}/compact", json=CONVERSATION)
    assert reply.status_code == 200, reply.text
    return reply.json()


def prompt(model: ScriptedModel, number: int) -> str:
    """Return all that the model was sent with a request."""
    return "\n".join(str(message["content"]) for message in model.asked[number]["messages"])


async def test_a_compacted_conversation_goes_on_with_its_summary_and_the_old_session_stays(
    model: ScriptedModel, api: Api
) -> None:
    assert (await compact(api))["compacted"] is False
    model.scripts = [["Hello Ada."], ["Noted."], ["Ada lives in Lisbon."], ["In Lisbon."], ["Ada asked where she lives."]]
    for text in ("My name is Ada", "I live in Lisbon"):
        first = await say(api.ada, text)
    moved = await compact(api)
    assert (moved["compacted"], moved["summary"], moved["original_message_count"]) == (True, "Ada lives in Lisbon.", 4)
    assert (moved["previous_session_id"], moved["summarized_message_count"]) == (first["session_id"], 4)
    assert "User: I live in Lisbon" in prompt(model, 2)
    # The new session begins with it, for people too, and the agent is told of it.
    items = await items_of(api.ada, moved["new_session_id"])
    assert [item["author"] for item in items] == ["assistant"]
    assert "Ada lives in Lisbon." in items[0]["data"]["content"][0]["text"]
    assert len(await items_of(api.ada, first["session_id"])) == 4
    # Nothing was said since: there is nothing to compact, and a second request does no harm.
    assert (await compact(api))["compacted"] is False
    answer = await say(api.ada, "Where do I live?")
    assert (answer["session_id"], answer["reply"], answer["created"]) == (moved["new_session_id"], "In Lisbon.", False)
    assert prompt(model, 3).count("Ada lives in Lisbon.") == 1
    # A summary of what began with one stands on it.
    again = await compact(api)
    assert again["previous_session_id"] == moved["new_session_id"]
    assert "Ada lives in Lisbon." in prompt(model, 4)
    assert (await api.ada.get(f"{THREADS}/{again['new_session_id']}")).json()["metadata"]["compacted_from"] == answer[
        "session_id"
    ]


async def test_where_no_model_answers_nothing_is_moved_and_the_answer_says_why(model: ScriptedModel, api: Api) -> None:
    model.scripts = [["Hello."], [400, "broken"]]
    first = await say(api.ada, "My name is Ada")
    assert problem(await api.ada.post(f"{CHAT}/compact", json=CONVERSATION)) == "no-model"
    failed = await say(api.ada, "And now?")
    assert (failed["session_id"], failed["reply"], failed["run"]["state"]) == (first["session_id"], "", "error")
    assert "There is no answer" in failed["error"]


async def test_while_a_summary_is_written_the_conversation_is_busy(
    model: ScriptedModel, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.scripts = [["Hello."], ["A summary."]]
    await say(api.ada, "My name is Ada")
    asked, may_answer = threading.Event(), threading.Event()
    reply = model.reply

    def wait(handler: BaseHTTPRequestHandler, script: Script) -> None:
        asked.set()
        may_answer.wait(20)
        reply(handler, script)

    monkeypatch.setattr(model, "reply", wait)
    compacting = asyncio.create_task(compact(api))
    try:
        await asyncio.to_thread(asked.wait, 20)
        assert problem(await api.ada.post(CHAT, json=said("words"))) == "answering"
        assert problem(await api.ada.post(f"{CHAT}/compact", json=CONVERSATION)) == "answering"
    finally:
        may_answer.set()
    assert (await compacting)["compacted"]


async def test_of_a_long_conversation_the_newest_is_summed_up_in_few_requests_that_fit(model: ScriptedModel, api: Api) -> None:
    model.scripts = [["Hello."], ["A summary."]]
    session = (await say(api.ada, "My name is Ada"))["session_id"]
    long = [{"kind": "message", "codec": CODEC, "data": _message(number)} for number in range(420)]
    for at in (0, 210):
        reply = await api.ada.post(f"{THREADS}/{session}/items", json={"items": long[at : at + 210]})
        assert reply.status_code == 201, reply.text
    moved = await compact(api)
    asked = [prompt(model, number) for number in range(1, len(model.asked))]
    assert 1 < len(asked) <= 4
    # Two characters are counted as a token at least.
    assert max(map(len, asked)) < 2 * 24_000
    assert "number 419 " in asked[-1]
    assert moved["original_message_count"] is None
    assert 0 < moved["summarized_message_count"] < 400


def _message(number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}", "thread_id": "t", "created_at": "2026-01-01T00:00:00", "type": "user_message",
        "content": [{"type": "input_text", "text": f"number {number} " + "word " * 100}], "attachments": [],
        "quoted_text": None, "inference_options": {},
    }  # fmt: skip


async def test_the_local_model_answers_sums_up_and_remembers_a_name(
    serve: Serve, llama_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shared:
        """The model of the session."""

        url = llama_url

        def is_running(self) -> bool:
            return True

        async def aclose(self) -> None:
            """It stays."""

    async def start() -> Shared:
        return Shared()

    monkeypatch.setattr(LocalModel, "start", start)
    monkeypatch.setenv("CLEW_MODEL", "local")
    api = await serve(agent=True)
    assert (await say(api.ada, "My name is Ada."))["reply"]
    moved = await compact(api)
    assert "My name is Ada." in moved["summary"]
    answer = await say(api.ada, "What is my name?")
    assert (answer["session_id"], answer["persisted"]) == (moved["new_session_id"], True)
    assert "Ada" in answer["reply"]


def test_a_message_that_was_heard_to_its_end_is_whole_though_it_could_not_be_kept() -> None:
    listener = Listener()
    item = {"id": "a", "type": "assistant_message", "content": []}
    listener.hear({"type": "thread.item.added", "item": item})
    update = {"type": "assistant_message.content_part.added", "content_index": 0, "content": {"text": ""}}
    listener.hear({"type": "thread.item.updated", "item_id": "a", "update": update})
    for word in ("one ", "two"):
        update = {"type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": word}
        listener.hear({"type": "thread.item.updated", "item_id": "a", "update": update})
    assert (listener.reply, listener.is_whole) == ("one two", False)
    update = {"type": "assistant_message.content_part.done", "content_index": 0, "content": {"text": "one two"}}
    listener.hear({"type": "thread.item.updated", "item_id": "a", "update": update})
    assert listener.is_whole
