"""`/mcp`: a worker's MCP server, over streamable HTTP. Whose call it is, is who asks; nothing of a client is in a worker.

Clients of every revision of the protocol are served without a session of the transport: any worker answers any request, and one
that was started again goes on. What lasts is on the store, under the names that the tools give.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from .. import Store
from ..mcp import Shelves, Watching, make_server
from ..settings import Settings
from .identity import identity_of
from .room import Room

PATH: Final = "/mcp"


class Mcp:
    """Made when a worker starts; `run` is its life."""

    def __init__(self, room: Room, settings: Settings) -> None:
        self._room = room
        self._watching = Watching(self._store, _owner_of)
        server = make_server(
            self._store,
            _owner_of,
            shelves=Shelves.of(settings.url),
            watching=self._watching,
            lasting=False,
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

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._manager.handle_request(scope, receive, send)

    async def _store(self) -> Store:
        return self._room.store


class Endpoint:
    """The route's application: it hands each request to its worker's `Mcp`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mcp: Mcp = scope["app"].state.mcp
        await mcp.serve(scope, receive, send)


def _owner_of(context: ServerRequestContext[Any, Any]) -> str:
    assert isinstance(context.request, Request), "HTTP calls come with their request"
    return identity_of(context.request).owner
