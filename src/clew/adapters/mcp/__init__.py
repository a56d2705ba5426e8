"""For those who write MCP servers with the SDK: an event store, so that each client can resume its own streams, and a bus."""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import mcp.server.streamable_http  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.adapters.mcp", "mcp") from error

from .bus import ClewSubscriptionBus
from .events import ClewEventStore
from .manager import ScopedSessionManager, streamable_http_app

__all__ = ["ClewEventStore", "ClewSubscriptionBus", "ScopedSessionManager", "streamable_http_app"]
