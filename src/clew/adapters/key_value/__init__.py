"""An `AsyncKeyValue` store on clew, as fastmcp takes it for its state, caches and OAuth, and others that use py-key-value.

mcp = FastMCP("weather", session_state_store=KeyValueStore(store, owner="weather"))
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import key_value.aio.errors  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.adapters.key_value", "fastmcp") from error

from .failures import BadKeyError, BadTTLError, BadValueError, CorruptError, StoreAwayError
from .store import KeyValueStore

__all__ = ["BadKeyError", "BadTTLError", "BadValueError", "CorruptError", "KeyValueStore", "StoreAwayError"]
