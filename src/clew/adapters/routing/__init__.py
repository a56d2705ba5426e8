"""Routing for chat servers of several instances: each channel conversation (`telegram:123`) leads to one agent session.

conversations = ConversationStore({"url": "redis://localhost:6379/0"})
await conversations.init()
session_id = await conversations.get_or_create_session("telegram:123")
"""

from __future__ import annotations

from .config import ConversationConfig
from .sessions import Sessions, ThreadSessions
from .store import Compacted, ConversationStore

__all__ = ["Compacted", "ConversationConfig", "ConversationStore", "Sessions", "ThreadSessions"]
