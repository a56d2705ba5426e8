"""`clew chat --message`: one turn with the real local model, remembered by the next process."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from .conftest import Clew


def test_a_turn_is_remembered_by_the_next_process(clew: Clew) -> None:
    first = clew("chat", "--message", "My name is Ada.", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    told = json.loads(first.stdout)
    assert set(told) == {"thread", "answer", "store", "model", "saved", "items"}
    assert told["saved"] is True
    assert "local" in told["model"]
    assert [item["author"] for item in told["items"]] == ["user", "assistant"]
    assert told["items"][0]["data"]["contents"][0]["text"] == "My name is Ada."

    second = clew("chat", "-m", "What is my name?", "--thread", told["thread"])
    assert second.returncode == 0, second.stderr
    assert "Ada" in second.stdout
    assert told["thread"] in second.stderr
    assert "\x1b" not in second.stdout + second.stderr

    shown = json.loads(clew("show", told["thread"], "--json").stdout)
    assert [item["author"] for item in shown["items"]] == ["user", "assistant"] * 2
    assert shown["items"][:2] == told["items"]


def test_a_turn_on_redis_is_remembered(clew: Clew, url_of: Callable[..., str]) -> None:
    url = url_of("redis-8.2")
    first = clew("chat", "--message", "My name is Ada.", "--json", CLEW_URL="", REDIS_URL=url)
    assert first.returncode == 0, first.stderr
    thread = json.loads(first.stdout)["thread"]
    second = clew("chat", "--message", "What is my name?", "--thread", thread, "--json", "--url", url)
    assert second.returncode == 0, second.stderr
    assert "Ada" in json.loads(second.stdout)["answer"]


def test_a_long_thread_still_answers(clew: Clew, environment: dict[str, str]) -> None:
    import asyncio

    import clew as library
    from clew import NewItem

    async def fill() -> None:
        async with library.connect(environment["CLEW_URL"]) as store:
            thread = await store.threads.create("ada", id="long")
            for role in ["user", "assistant"] * 150:
                message = {"type": "message", "role": role, "contents": [{"type": "text", "text": "word " * 100}]}
                await store.items.append(thread, NewItem.json(message, codec="agent_framework.message/1", author=role))

    asyncio.run(fill())
    done = clew("chat", "--message", "What is the capital of France?", "--thread", "long", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"]
    shown = json.loads(clew("show", "long", "--json", "--limit", "1000").stdout)
    assert len(shown["items"]) == 302


def test_a_turn_in_an_unknown_thread_is_not_found(clew: Clew) -> None:
    assert clew("chat", "--message", "hello", "--thread", "nowhere").returncode == 3


def test_a_message_must_say_something(clew: Clew) -> None:
    assert clew("chat", "--message", "  ").returncode == 2
    assert clew("chat", "--json").returncode == 2


def test_a_model_that_does_not_answer_is_unavailable_and_nothing_is_stored(clew: Clew) -> None:
    done = clew("chat", "--message", "hello", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert json.loads(clew("threads", "--json").stdout)["threads"] == []


class Answering(BaseHTTPRequestHandler):
    """Chat completions as OpenAI streams them; keeps what it was asked."""

    asked: list[dict[str, object]]

    def do_POST(self) -> None:
        self.asked.append(
            {
                "path": self.path,
                "key": self.headers.get("authorization") or self.headers.get("api-key"),
                **json.loads(self.rfile.read(int(self.headers["content-length"]))),
            }
        )
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for content, finish in (("Hi ", None), ("there\x1b[2J", None), ("", "stop")):
            choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def model() -> object:
    """A server that speaks OpenAI's and Azure's API on a port of its own."""
    handler = type("Handler", (Answering,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_that_speaks_openais_api_is_asked_and_its_escapes_do_not_reach_the_terminal(
    clew: Clew, model: tuple[type[Answering], str]
) -> None:
    handler, place = model
    done = clew("chat", "-m", "hello", OPENAI_BASE_URL=f"{place}/v1", OPENAI_API_KEY="secret", OPENAI_MODEL="m")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Hi there\\x1b[2J\n"
    assert "secret" not in done.stdout + done.stderr
    (asked,) = handler.asked
    assert (asked["path"], asked["key"], asked["model"]) == ("/v1/chat/completions", "Bearer secret", "m")


def test_azure_is_asked_by_the_labs_names(clew: Clew, model: tuple[type[Answering], str]) -> None:
    handler, place = model
    done = clew("chat", "-m", "hello", "--json", AOAI_ENDPOINT=place, AOAI_DEPLOYMENT="mine", AOAI_API_KEY="secret")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"] == "Hi there\x1b[2J"
    assert "\x1b" not in done.stdout
    assert "Azure" in told["model"]
    assert "mine" in str(handler.asked[0])


def test_half_of_azures_settings_are_refused(clew: Clew) -> None:
    done = clew("chat", "-m", "hello", AOAI_ENDPOINT="https://example.invalid")
    assert done.returncode == 2
    assert "AOAI_DEPLOYMENT" in done.stderr
