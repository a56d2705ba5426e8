"""What workflow sessions, MCP tools and MCP events cost on Redis: `python -m bench mcp`."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import calls, events, sessions

TOPICS: Final[tuple[Topic, ...]] = (sessions.TOPIC, sessions.HISTORY, calls.TOPIC, events.TOPIC)
