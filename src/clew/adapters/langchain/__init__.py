"""LangChain's chat message history on clew: a thread for a session, an item for a message, and nothing of a message lost.

history = ClewChatMessageHistory("session 1", store, owner="ada")
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import langchain_core.chat_history  # noqa: F401
    import langgraph.checkpoint.serde.jsonplus  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.adapters.langchain", "langchain") from error

from .history import ClewChatMessageHistory

__all__ = ["ClewChatMessageHistory"]
