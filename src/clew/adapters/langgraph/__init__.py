"""LangGraph on clew: a checkpointer that keeps each message once, for graphs that are synchronous or asynchronous.

graph = builder.compile(checkpointer=ClewSaver(store, owner="ada"))
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import langgraph.checkpoint.base  # noqa: F401
except ImportError as e:
    raise MissingExtraError("clew.adapters.langgraph", "langgraph") from e

from .cache import ClewCache
from .memories import ClewStore
from .saver import ClewSaver

__all__ = ["ClewCache", "ClewSaver", "ClewStore"]
