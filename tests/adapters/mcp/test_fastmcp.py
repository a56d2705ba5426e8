"""Servers of fastmcp and of the SDK on clew, over HTTP: streams that are resumed, and state that every worker has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.client.auth.oauth import TokenStorageAdapter
from fastmcp.server.dependencies import get_session
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.sessions import SessionId, SessionProvider
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthToken
from starlette.applications import Starlette
from starlette.routing import Mount

import clew
from clew.adapters.key_value import KeyValueStore
from clew.adapters.mcp import ClewEventStore, ScopedSessionManager, streamable_http_app

from ...support import wait_until
from .serving import Session, serving, texts_of

Make = Callable[[ClewEventStore, dict[str, asyncio.Event]], Starlette]


@pytest.fixture
async def workers(url_of: Callable[[str], str]) -> AsyncIterator[list[clew.Store]]:
    """Two stores on one Redis, as two workers have them."""
    url = url_of("redis-8.2")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(clew.connect(url)) for _ in range(2)]


def of_fastmcp(events: ClewEventStore, gates: dict[str, asyncio.Event]) -> Starlette:
    """A tool of fastmcp that loses its client, and goes on when it is let."""
    server = FastMCP("test")

    @server.tool
    async def work(who: str, ctx: Context) -> str:
        await ctx.close_sse_stream()
        await gates[who].wait()
        await ctx.report_progress(1, message=f"{who} goes on")
        return f"{who} is done"

    return server.http_app(event_store=events, retry_interval=100)


def of_the_sdk(events: ClewEventStore, gates: dict[str, asyncio.Event]) -> Starlette:
    """The same tool of the SDK's MCPServer."""
    server = MCPServer("test")

    @server.tool()
    async def work(who: str, ctx: SDKContext[None]) -> str:
        await ctx.close_sse_stream()
        await gates[who].wait()
        await ctx.report_progress(1, message=f"{who} goes on")
        return f"{who} is done"

    return streamable_http_app(server, events, retry_interval=100)


def of_a_manager(events: ClewEventStore, gates: dict[str, asyncio.Event]) -> Starlette:
    """The same tool of the SDK's low-level server, in an application of one's own."""

    async def work(context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        who = (params.arguments or {})["who"]
        assert context.close_sse_stream is not None
        await context.close_sse_stream()
        await gates[who].wait()
        await context.session.report_progress(1, message=f"{who} goes on")
        return types.CallToolResult(content=[types.TextContent(text=f"{who} is done")])

    manager = ScopedSessionManager(Server("test", on_call_tool=work), events)
    return Starlette(routes=[Mount("/mcp", manager.handle_request)], lifespan=lambda app: manager.run())


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that event stores have kept."""
    texts: list[str] = []
    store_event = ClewEventStore.store_event

    async def note(events: ClewEventStore, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        id = await store_event(events, stream_id, message)
        if message is not None:
            texts.append(message.model_dump_json())
        return id

    monkeypatch.setattr(ClewEventStore, "store_event", note)
    return texts


@pytest.mark.parametrize("make", [of_fastmcp, of_the_sdk, of_a_manager])
async def test_each_session_resumes_its_own_stream_whatever_id_it_sends(
    make: Make, workers: list[clew.Store], kept: list[str]
) -> None:
    gates = {"ada": asyncio.Event(), "eve": asyncio.Event()}
    app = make(ClewEventStore(workers[0]), gates)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=10, follow_redirects=True) as http:
        ada, eve = await Session.open(http), await Session.open(http)
        for session, who in ((ada, "ada"), (eve, "eve")):
            assert await session.call("work", who=who) == []
        first_of_ada, first_of_eve = ada.last, eve.last
        assert first_of_ada
        assert first_of_ada != first_of_eve
        # What the SDK gets between its look at what is kept and the stream that it opens then, it tells nobody: so one session is
        # told what was kept before, and the other what comes after.
        gates["eve"].set()
        await wait_until(lambda: any("eve is done" in text for text in kept))
        assert texts_of(await eve.resume(first_of_eve)) == ["eve goes on", "eve is done"]
        assert texts_of(await ada.resume(first_of_ada, begun=gates["ada"])) == ["ada goes on", "ada is done"]
        # With another's id, or one of nobody's, there is nothing to hear.
        for unknown in (first_of_ada, ada.last, f"{first_of_eve}0", "7", "_GET_stream", "x" * 3000):
            assert await eve.resume(unknown) == []
        assert texts_of(await eve.resume(first_of_eve)) == ["eve goes on", "eve is done"]


async def test_one_scope_for_all_sessions_leaks_which_is_why_each_has_its_own(workers: list[clew.Store]) -> None:
    gates = {"ada": asyncio.Event(), "eve": asyncio.Event()}
    events = ClewEventStore(workers[0], scope="all")
    server = MCPServer("test")

    @server.tool()
    async def work(who: str, ctx: SDKContext[None]) -> str:
        await ctx.close_sse_stream()
        await gates[who].wait()
        return f"{who} is done"

    # The SDK's own manager, and a store that takes the streams of all for those of one.
    app = server.streamable_http_app(event_store=events)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=10) as http:
        ada, eve = await Session.open(http), await Session.open(http)
        await ada.call("work", who="ada")
        await eve.call("work", who="eve")
        gates["eve"].set()
        assert texts_of(await ada.resume(ada.last)) == ["eve is done"]
        gates["ada"].set()


async def test_a_shared_store_refuses_the_streams_of_the_sdks_own_manager(
    workers: list[clew.Store], caplog: pytest.LogCaptureFixture
) -> None:
    app = MCPServer("test").streamable_http_app(event_store=ClewEventStore(workers[0]))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=10) as http:
        with pytest.raises(AssertionError, match="Error handling POST request"):
            await Session.open(http)
    assert "clew.adapters.mcp.streamable_http_app" in caplog.text
    for stream in ("7", "_GET_stream", "3:ab", "32:x:7", "0::7", "1000:x"):
        with pytest.raises(clew.InvalidError, match="whose stream"):
            await ClewEventStore(workers[0]).store_event(stream, None)


def remembering(store: clew.Store, calls: list[str]) -> FastMCP:
    """A worker of a server that keeps state of sessions, and answers of tools, in clew."""
    values = KeyValueStore(store, owner="test")
    caching = ResponseCachingMiddleware(cache_storage=values, call_tool_settings={"included_tools": ["slow"]})
    server = FastMCP("test", session_state_store=values, middleware=[caching])
    server.add_provider(SessionProvider())

    @server.tool
    async def note(text: str, session_id: SessionId) -> list[str]:
        session = await get_session(session_id)
        notes = [*(await session.get("notes") or []), text]
        await session.set("notes", notes)
        return notes

    @server.tool
    async def slow(number: int) -> int:
        calls.append(f"slow {number}")
        return number * 2

    return server


async def test_a_session_and_a_cached_answer_of_one_worker_are_there_on_another(workers: list[clew.Store]) -> None:
    calls: list[str] = []
    async with AsyncExitStack() as stack:
        clients = []
        for store in workers:
            url = await stack.enter_async_context(serving(remembering(store, calls).http_app()))
            clients.append(await stack.enter_async_context(Client(f"{url}/mcp")))
        session = (await clients[0].call_tool("create_session", {})).data
        for number in range(4):
            notes = (await clients[number % 2].call_tool("note", {"text": f"note {number}", "session_id": session})).data
            assert notes == [f"note {each}" for each in range(number + 1)]
        for client in [*clients, *clients]:
            assert (await client.call_tool("slow", {"number": 21})).data == 42
        assert calls == ["slow 21"]
        await clients[1].call_tool("end_session", {"session_id": session})
        told = await clients[0].call_tool("note", {"text": "late", "session_id": session}, raise_on_error=False)
        assert told.is_error
    await KeyValueStore(workers[0], owner="test").destroy()


async def test_the_tokens_of_a_client_outlive_it(workers: list[clew.Store]) -> None:
    for store in workers:
        tokens = TokenStorageAdapter(KeyValueStore(store, owner="client"), server_url="https://mcp.example/mcp")
        if store is workers[0]:
            await tokens.set_tokens(OAuthToken(access_token="a", refresh_token="r", expires_in=3600))
        found = await tokens.get_tokens()
        assert found is not None
        assert (found.access_token, found.refresh_token) == ("a", "r")
    await KeyValueStore(workers[0], owner="client").destroy()
