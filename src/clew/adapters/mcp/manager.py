"""How the SDK's servers are served with events that no other session's client reaches: by its own manager of sessions, scoped."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http import EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette

from .events import ClewEventStore


class ScopedSessionManager(StreamableHTTPSessionManager):
    """As the SDK's manager, but each session gets an event store with a scope of its own.

    The SDK gives all sessions one store, and names an event's stream by the request's id, which every client counts from the same
    number: with one shared scope, a client that resumes is sent the messages of others.
    """

    def __init__(self, app: Server[Any], event_store: ClewEventStore, **options: Any) -> None:  # options: the SDK's own
        """Take the SDK's arguments; `event_store` is the one that the sessions share."""
        self._events = event_store
        super().__init__(app, event_store=event_store, **options)

    @property
    def event_store(self) -> EventStore | None:
        """A store for one session: the SDK asks once for each."""
        return self._events.scoped()

    @event_store.setter
    def event_store(self, given: EventStore | None) -> None:
        if given is not self._events:
            raise ValueError("the event store is given when the manager is made")


def streamable_http_app(server: MCPServer[Any] | Server[Any], event_store: ClewEventStore, **options: Any) -> Starlette:
    """Return what the server's own `streamable_http_app` returns, with events that each session has to itself.

    Args:
        options: the SDK's own, as `streamable_http_path` or `retry_interval`.
    """
    app = server.streamable_http_app(event_store=event_store, **options)
    manager = server.session_manager
    # The SDK makes its manager by itself, and asks it for the store at each session.
    manager.__class__ = ScopedSessionManager
    assert isinstance(manager, ScopedSessionManager), "it has the same attributes"
    manager._events = event_store
    return app
