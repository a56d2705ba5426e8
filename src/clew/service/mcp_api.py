"""`/mcp`: a worker's MCP server, over streamable HTTP. Whose call it is, is who asks; nothing of a client is in a worker.

Clients of every revision of the protocol are served without a session in memory: any worker answers any request, and one that
was started again goes on. What lasts is on the store, under the names that the tools give.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from .. import Store
from ..ids import new_id
from ..mcp import Shelves, Watching, make_server
from ..settings import Settings
from .identity import identity_of
from .mcp_streams import SESSION, Streams
from .room import Room

PATH: Final = "/mcp"


class Mcp:
    """Made when a worker starts; `run` is its life."""

    def __init__(self, room: Room, settings: Settings, *, beat: float) -> None:
        self._room = room
        self._watching = Watching(self._store, _owner_of)
        self._streams = Streams(self._store, self._watching, beat=beat)
        server = make_server(
            self._store,
            _owner_of,
            shelves=Shelves.of(settings.url),
            watching=self._watching,
            subscribe=self._streams.subscribe,
            unsubscribe=self._streams.unsubscribe,
            zone=UTC,
        )
        self._manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=settings.access.max_body
        )

    def run(self) -> AbstractAsyncContextManager[None]:
        """Serve for as long as the block lasts."""
        return self._manager.run()

    def close_streams(self) -> None:
        """End every stream of news: the worker is about to go."""
        self._watching.close_streams()
        self._streams.close()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        if request.method == "POST":
            await self._manager.handle_request(scope, receive, _naming_session(request, send))
        elif SESSION not in request.headers:
            # What comes by GET and DELETE is of a session.
            raise HTTPException(405, headers={"allow": "POST"})
        elif request.method == "DELETE":
            await (await self._streams.forget(request))(scope, receive, send)
        else:
            await self._streams.open(request)(scope, receive, send)

    async def _store(self) -> Store:
        return self._room.near_store


class Endpoint:
    """The route's application: it hands each request to its worker's `Mcp`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mcp: Mcp = scope["app"].state.mcp
        await mcp.serve(scope, receive, send)


def _naming_session(request: Request, send: Send) -> Send:
    """Give the first request of an older client the name of a session; it is a name and no more."""
    if SESSION in request.headers or MCP_PROTOCOL_VERSION_HEADER in request.headers:
        return send

    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message["headers"] = [*message["headers"], (SESSION.encode(), new_id().encode())]
        await send(message)

    return send_named


def _owner_of(context: ServerRequestContext[Any, Any]) -> str:
    assert isinstance(context.request, Request), "HTTP calls come with their request"
    return identity_of(context.request).owner
