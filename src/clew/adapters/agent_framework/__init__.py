"""Microsoft Agent Framework on clew: a history provider that keeps every message, and says so when it could not.

    agent = Agent(client, context_providers=[ClewHistoryProvider(store, owner="ada")])

It keeps messages. Sessions, checkpoints and snapshots are other interfaces of the framework, and not served here.
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import agent_framework  # noqa: F401
except ImportError as e:
    raise MissingExtraError("clew.adapters.agent_framework", "agent-framework") from e

from .history import ClewHistoryProvider
from .imports import import_messages
from .messages import CODEC
from .quarantine import Unreadable

__all__ = ["CODEC", "ClewHistoryProvider", "Unreadable", "import_messages"]
