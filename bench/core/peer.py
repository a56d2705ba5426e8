"""The peer's environment: `agent-framework-redis` with the redis-py it allows, which is not the one clew is tested with."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from ..environments import find_python

PEER: Final = "agent-framework-redis==1.0.0b261022"


def find_peer_python() -> str:
    """Return the Python of the peer's environment, which is made where there is none.

    Raises:
        NoPeerError: it could not be made.
    """
    return find_python("agent-framework", [PEER, f"agent-framework-core=={version('agent-framework-core')}"])
