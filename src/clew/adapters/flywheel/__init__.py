"""Workflow sessions and execution results for MCP servers and agents, under the keys that other tools read.

manager = RedisSessionManager()
await manager.save_session(UniversalSession("s1", BackendType.FLOWISE, "flowise-1"))
await manager.append_history("s1", {"role": "user", "content": "Where were we?"})
session = await manager.load_session("s1")
"""

from __future__ import annotations

from .config import RedisConfig
from .execution import Execution
from .executions import RedisExecutionCache
from .manager import RedisSessionManager
from .outcome import Ids, Loaded, Outcome
from .schema import VERSION
from .session import BackendType, FlowStatus, UniversalSession

__all__ = [
    "VERSION",
    "BackendType",
    "Execution",
    "FlowStatus",
    "Ids",
    "Loaded",
    "Outcome",
    "RedisConfig",
    "RedisExecutionCache",
    "RedisSessionManager",
    "UniversalSession",
]
