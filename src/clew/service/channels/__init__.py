"""Channels: the conversations of chat systems, as Telegram's or Slack's, answered by the agent of the service.

Each leads to a session, which is a thread that the page shows too. While the store is away the agent answers all the same, and
says that nothing of it is kept.
"""

from __future__ import annotations

from .chat import Chat
from .views import Ask

__all__ = ["Ask", "Chat"]
