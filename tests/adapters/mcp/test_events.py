"""The event store of the MCP SDK on clew: in order, once each, resumed by its own session alone, and never with a gap unsaid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import EventMessage
from mcp.types import JSONRPCMessage, JSONRPCNotification
from starlette.applications import Starlette
from starlette.routing import Mount

import clew
import servers
from clew.adapters.mcp import ClewEventStore, ScopedSessionManager
from clew.errors import UnknownCursorError
from servers import MissingBinaryError

from ...support import do_without, wait_until, with_options

JSON = Any
"""What a message holds; a test looks into it."""


def notice(number: int | str) -> JSONRPCNotification:
    """Return a message that can be told from the others."""
    return JSONRPCNotification(jsonrpc="2.0", method="n", params={"number": number})


async def replay(events: ClewEventStore, after: str) -> tuple[str | None, list[Any]]:
    """Return the stream that an id is of, and what comes after it."""
    found: list[Any] = []

    async def hear(event: EventMessage) -> None:
        assert isinstance(event.message, JSONRPCNotification)
        assert event.message.params is not None
        found.append(event.message.params["number"])

    return await events.replay_events_after(after, hear), found


@pytest.fixture(params=["sqlite", "redis-8.2"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[clew.Store]:
    """A store, on both engines in turn."""
    url = f"sqlite:///{tmp_path}/clew.db" if request.param == "sqlite" else request.getfixturevalue("url_of")(request.param)
    async with clew.connect(url) as made:
        yield made


async def test_a_stream_goes_on_after_any_of_its_events(store: clew.Store) -> None:
    events = ClewEventStore(store).scoped()
    priming = await events.store_event("7", None)
    ids = [await events.store_event("7" if number % 2 else "_GET_stream", notice(number)) for number in range(10)]
    assert await replay(events, priming) == ("7", [1, 3, 5, 7, 9])
    assert await replay(events, ids[3]) == ("7", [5, 7, 9])
    assert await replay(events, ids[4]) == ("_GET_stream", [6, 8])
    assert await replay(events, ids[9]) == ("7", [])
    for unknown in ("", "7", ids[3].partition(".")[2], f"{ids[3]}0", "x.y-1"):
        assert await replay(events, unknown) == (None, [])


async def test_no_scope_reaches_another(store: clew.Store) -> None:
    shared = ClewEventStore(store)
    one, other = shared.scoped(), shared.scoped()
    first = await one.store_event("7", notice("one's first"))
    await one.store_event("7", notice("one's second"))
    await other.store_event("7", notice("the other's"))
    assert await replay(other, first) == (None, [])
    assert await replay(one, first) == ("7", ["one's second"])


async def test_two_writers_of_one_stream_lose_nothing(store: clew.Store) -> None:
    writers = [ClewEventStore(store, scope="both") for _ in range(2)]
    first = await writers[0].store_event("7", None)
    await asyncio.gather(
        *(writer.store_event("7", notice(f"{name}{n}")) for n in range(100) for name, writer in zip("ab", writers, strict=True))
    )
    stream, found = await replay(writers[1], first)
    assert stream == "7"
    for name in "ab":
        assert [each for each in found if each[0] == name] == [f"{name}{n}" for n in range(100)]


async def test_the_oldest_events_go_and_a_cursor_that_went_with_them_is_not_known(store: clew.Store) -> None:
    events = ClewEventStore(store, keep=20).scoped()
    ids = [await events.store_event("7", notice(number)) for number in range(100)]
    assert await replay(events, ids[0]) == (None, [])
    assert await replay(events, ids[85]) == ("7", list(range(86, 100)))


async def test_an_event_that_was_not_kept_has_no_id_and_is_never_skipped(tmp_path: Path) -> None:
    try:
        binary = servers.find("valkey-9.1")
    except MissingBinaryError as error:
        do_without(error)
    with servers.Server(binary, durable=True) as server:
        async with clew.connect(with_options(server.url, timeout=0.5)) as store:
            shared = ClewEventStore(store)
            events = shared.scoped()
            before = await events.store_event("7", notice(1))
            server.kill()
            assert await events.store_event("7", notice(2)) == ""
            # From then on nobody waits for the time-out of a store that is known to be away, in no session.
            async with asyncio.timeout(0.4):
                for number in range(50):
                    assert await shared.scoped().store_event("7", notice(number)) == ""
            server.restart()

            async def is_back() -> bool:
                return await events.store_event("8", notice("probe")) != ""

            await wait_until(is_back, 30)
            after = await events.store_event("7", notice(3))
            with pytest.raises(UnknownCursorError, match="not kept"):
                await replay(events, before)
            await events.store_event("7", notice(4))
            assert await replay(events, after) == ("7", [4])


# -- the SDK's own server ------------------------------------------------------------------------------------------------


Call = Callable[[ServerRequestContext[Any, Any], types.CallToolRequestParams], Awaitable[types.CallToolResult]]


@contextlib.asynccontextmanager
async def serving(call_tool: Call, events: ClewEventStore) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a tool, and yield a client."""
    manager = ScopedSessionManager(Server("test", on_call_tool=call_tool), events)
    app = Starlette(routes=[Mount("/mcp", manager.handle_request)], lifespan=lambda app: manager.run())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await wait_until(lambda: server.started)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=10) as http:
            yield http
        server.should_exit = True
        await task


def data_of(response: httpx2.Response) -> list[tuple[str, JSON]]:
    """Return the events of a whole SSE response: id and message."""
    found, id = [], ""
    for line in response.text.splitlines():
        name, _, text = line.partition(": ")
        if name == "id":
            id = text
        elif name == "data" and text:
            found.append((id, json.loads(text)))
    return found


async def open_session(http: httpx2.AsyncClient) -> dict[str, str]:
    """Start a session of 2025-11-25, and return its headers."""
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about}
    reply = await http.post("/mcp/", json=body, headers=headers)
    headers["mcp-session-id"] = reply.headers["mcp-session-id"]
    await http.post("/mcp/", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    return headers


async def test_a_client_that_resumes_gets_its_own_rest_and_nothing_of_another_session(
    store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = asyncio.Event()
    kept: list[str] = []
    keep = ClewEventStore.store_event

    async def keep_and_note(events: ClewEventStore, stream_id: str, message: JSONRPCMessage | None) -> str:
        id = await keep(events, stream_id, message)
        kept.append("" if message is None else message.model_dump_json())
        return id

    monkeypatch.setattr(ClewEventStore, "store_event", keep_and_note)

    async def call_tool(context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        who = (params.arguments or {})["who"]
        assert context.close_sse_stream is not None
        await context.close_sse_stream()
        if who == "ada":
            await goes_on.wait()
        await context.session.report_progress(1, message=f"{who} goes on")
        return types.CallToolResult(content=[types.TextContent(text=f"{who} is done")])

    async with serving(call_tool, ClewEventStore(store)) as http:
        sessions = {who: await open_session(http) for who in ("ada", "eve")}
        last: dict[str, str] = {}
        for who, headers in sessions.items():
            # Both give their request the same id, as clients that count from the same number do.
            params = {"name": "t", "arguments": {"who": who}, "_meta": {"progressToken": 1}}
            call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
            reply = await http.post("/mcp/", json=call, headers=headers)
            last[who] = next(line.removeprefix("id: ") for line in reply.text.splitlines() if line.startswith("id: "))
        # What is the other's comes between what is hers.
        await wait_until(lambda: any("eve is done" in each for each in kept))
        goes_on.set()
        await wait_until(lambda: any("ada is done" in each for each in kept))
        for who, headers in sessions.items():
            told: list[JSON] = []
            async with asyncio.timeout(10):
                async with http.stream("GET", "/mcp/", headers={**headers, "last-event-id": last[who]}) as response:
                    async for line in response.aiter_lines():
                        if line.startswith("data: {"):
                            told.append(json.loads(line.removeprefix("data: ")))
                            if "result" in told[-1]:
                                break
            texts = [each["params"]["message"] if "params" in each else each["result"]["content"][0]["text"] for each in told]
            assert texts == [f"{who} goes on", f"{who} is done"]
        # With the other's id she is sent nothing.
        reply = await http.get("/mcp/", headers={**sessions["eve"], "last-event-id": last["ada"]})
        assert data_of(reply) == []
