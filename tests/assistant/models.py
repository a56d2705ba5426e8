"""A server that speaks OpenAI's chat completions, with answers written beforehand: no model that runs here can call tools."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent_framework.openai import OpenAIChatCompletionClient

from clew.assistant.models import Model
from clew.assistant.supply import ModelSupply

Script = list[str | tuple[str, str] | int]
"""One answer: texts, calls (name and arguments), or a status and its words, or one of the numbers below."""
SPEAKS_ON, BREAKS, ENDS, RAVES = 0, -1, -2, -3
"""Speaks until nobody listens; breaks the connection; ends the response too early; sends what is no JSON."""


class ScriptedModel:
    """Answers each request with the next script, and keeps what it was asked."""

    def __init__(self, scripts: list[Script]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.scripts = scripts
        self.left = threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                model.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                model.reply(self, model.scripts[min(len(model.asked), len(model.scripts)) - 1])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server: ThreadingHTTPServer = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def reply(self, handler: BaseHTTPRequestHandler, script: Script) -> None:
        """Stream one answer; calls come in pieces, as OpenAI sends them."""
        if script and isinstance(script[0], int) and script[0] > 0:
            body = json.dumps({"error": {"message": f"status {script[0]}: {script[1]}"}}).encode()
            handler.send_response(script[0])
            handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            return
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        calls = 0
        try:
            for part in script:
                if isinstance(part, str):
                    self.send(handler, {"content": part})
                elif isinstance(part, tuple):
                    name, arguments = part
                    head = {"index": calls, "id": f"call_{calls}_{len(self.asked)}", "type": "function"}
                    self.send(handler, {"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})
                    for piece in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
                        self.send(handler, {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]})
                    calls += 1
                elif part == BREAKS:
                    handler.close_connection = True
                    return
                elif part == ENDS:
                    handler.wfile.write(b"0\r\n\r\n")
                    return
                elif part == RAVES:
                    self.write(handler, b"data: {\n\n")
                else:
                    # Speak on until the client has gone.
                    while True:
                        self.send(handler, {"content": "word "})
            self.send(handler, {}, "tool_calls" if calls else "stop")
            self.write(handler, b"data: [DONE]\n\n")
            handler.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.left.set()
            handler.close_connection = True

    def write(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        """Send some bytes as a chunk of HTTP."""
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        handler.wfile.flush()

    def send(self, handler: BaseHTTPRequestHandler, delta: dict[str, Any], finish: str | None = None) -> None:
        """Send one chunk."""
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        self.write(handler, f"data: {json.dumps(chunk)}\n\n".encode())


@contextmanager
def scripted(*scripts: Script) -> Iterator[ScriptedModel]:
    """Run a scripted model on a port of its own. Its last script is used again and again."""
    model = ScriptedModel(list(scripts))
    thread = threading.Thread(target=model.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield model
    finally:
        model.server.shutdown()
        thread.join()
        model.server.server_close()


OPENED: list[ModelSupply] = []
"""The supplies of a test, which a fixture closes."""


def supply_at(url: str, *, calls_tools: bool = True, **fields: Any) -> ModelSupply:
    """Return a supply of a model on a server that speaks OpenAI's API."""

    async def opener(stack: AsyncExitStack) -> Model:
        client = OpenAIChatCompletionClient("m", api_key="none", base_url=url)
        client.client.max_retries = 0  # a failure is what the tests wait for
        stack.push_async_callback(client.client.close)
        return Model("m", "m", client, fields.pop("options", {}), calls_tools=calls_tools, **fields)

    OPENED.append(ModelSupply(opener, calls_tools=calls_tools))
    return OPENED[-1]
