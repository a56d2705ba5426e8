"""One durable store for the conversations of AI agents: threads and their items, on Redis, Valkey or embedded SQLite.

Importing this brings the standard library and msgspec, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import (
    AlreadyExistsError,
    ClewError,
    ClosedError,
    ConflictError,
    DeniedError,
    FencedError,
    FullError,
    GoneError,
    InvalidError,
    MissingExtraError,
    NotFoundError,
    NotReplicatedError,
    ReusedTokenError,
    UnavailableError,
    UnknownCursorError,
    UnreadableError,
    UnsupportedError,
)
from .model import Appended, Item, NewItem, Page, Ref, Resolved, Thread, ThreadKey, Value
from .records import Once
from .runs import EventId, Retention, Run, RunEvent
from .store import Producer, Store, connect, safe_cut

__all__ = [
    "AlreadyExistsError",
    "Appended",
    "ClewError",
    "ClosedError",
    "ConflictError",
    "DeniedError",
    "EventId",
    "FencedError",
    "FullError",
    "GoneError",
    "InvalidError",
    "Item",
    "MissingExtraError",
    "NewItem",
    "NotFoundError",
    "NotReplicatedError",
    "Once",
    "Page",
    "Producer",
    "Ref",
    "Resolved",
    "Retention",
    "ReusedTokenError",
    "Run",
    "RunEvent",
    "Store",
    "Thread",
    "ThreadKey",
    "UnavailableError",
    "UnknownCursorError",
    "UnreadableError",
    "UnsupportedError",
    "Value",
    "__version__",
    "connect",
    "safe_cut",
]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Read when asked for: it costs more than all the rest of the import.
        from importlib.metadata import version

        return version("clew")
