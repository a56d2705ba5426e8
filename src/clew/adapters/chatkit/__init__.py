"""OpenAI ChatKit on clew: a `chatkit.store.Store` that keeps what it is given, for each owner apart.

server = MyChatKitServer(ChatKitStore(store, owner=lambda context: context["user_id"]))
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import chatkit.store  # noqa: F401
except ImportError as e:
    raise MissingExtraError("clew.adapters.chatkit", "chatkit") from e

from .failures import AlreadyCompletedError, StoreAwayError, StoreRefusedError
from .items import CODEC, UNREADABLE
from .refusals import BadRequestError, BusyError, sentence_of, status_of
from .server import Answer, DurableServer, Reply
from .store import ChatKitStore

__all__ = [
    "CODEC",
    "UNREADABLE",
    "AlreadyCompletedError",
    "Answer",
    "BadRequestError",
    "BusyError",
    "ChatKitStore",
    "DurableServer",
    "Reply",
    "StoreAwayError",
    "StoreRefusedError",
    "sentence_of",
    "status_of",
]
