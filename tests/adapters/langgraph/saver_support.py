"""What the tests of the saver share: a thread that is written step by step, as a graph writes it, into several savers at once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6

from clew.adapters.langgraph import ClewSaver

Saver = BaseCheckpointSaver[Any]
EMPTY = object()
"""A channel that is written, and has no value then."""


def config_of(thread: str, branch: str = "", id: str | None = None) -> RunnableConfig:
    """Return a configuration."""
    named = {"thread_id": thread, "checkpoint_ns": branch}
    return {"configurable": named if id is None else {**named, "checkpoint_id": id}}


class Thread:
    """One branch of a thread: each `put` goes on from `config`, in all savers alike."""

    def __init__(self, savers: Sequence[Saver] | Saver, id: str, branch: str = "") -> None:
        self.savers = [savers] if isinstance(savers, BaseCheckpointSaver) else list(savers)
        self.config = config_of(id, branch)
        self.values: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.puts: list[RunnableConfig] = []
        self._step = -2

    async def put(self, changes: Mapping[str, Any], config: RunnableConfig | None = None, **metadata: Any) -> RunnableConfig:
        """Put a checkpoint in which these channels have new values, after the one that `config` names, or the last one."""
        self._step += 1
        versions: dict[str, Any] = {name: ClewSaver.get_next_version(None, self.versions.get(name), None) for name in changes}  # type: ignore[arg-type]
        self.versions = {**self.versions, **versions}
        self.values = {**self.values, **changes}
        checkpoint: Checkpoint = {
            "v": 4,
            "id": str(uuid6(clock_seq=self._step)),
            "ts": datetime.now(UTC).isoformat(),
            "channel_values": {name: value for name, value in self.values.items() if value is not EMPTY},
            "channel_versions": self.versions,
            "versions_seen": {"agent": dict(self.versions)},
            "updated_channels": sorted(changes),
        }
        made: Any = {"source": "loop", "step": self._step, "parents": {}, **metadata}
        parent = config or self.config
        for saver in self.savers:
            self.config = await saver.aput(parent, checkpoint, made, versions)
        self.puts.append(self.config)
        return self.config

    async def write(self, writes: Sequence[tuple[str, Any]], task: str = "task", path: str = "") -> None:
        """Put writes for the last checkpoint."""
        for saver in self.savers:
            await saver.aput_writes(self.config, writes, task, path)

    def go_back(self, found: CheckpointTuple) -> None:
        """Go on from an earlier checkpoint: a fork."""
        self.config = found.config
        self.values = dict(found.checkpoint["channel_values"])
        self.versions = dict(found.checkpoint["channel_versions"])


async def put(saver: Saver, thread: str, value: Any = "value", *, branch: str = "", **metadata: Any) -> RunnableConfig:
    """Begin a thread with one value, and return what names its checkpoint."""
    return await Thread(saver, thread, branch).put({"value": value}, **metadata)


async def get(saver: Saver, thread: str, branch: str = "") -> Any:
    """Return the values of the latest checkpoint; None where there is none."""
    found = await saver.aget_tuple(config_of(thread, branch))
    return None if found is None else found.checkpoint["channel_values"]


async def everything(saver: Saver, thread: str) -> list[CheckpointTuple]:
    """Return every checkpoint of a thread, some read by themselves too, in the order of branches and ids."""
    found = [each async for each in saver.alist({"configurable": {"thread_id": thread}})]
    for each in found[::7]:
        assert await saver.aget_tuple(each.config) == each
    return sorted(found, key=lambda each: (each.config["configurable"]["checkpoint_ns"], each.checkpoint["id"]))


def speak(number: int, size: int = 40) -> AnyMessage:
    """Return a message, of each kind in turn."""
    kind, id = number % 4, f"m{number}-{random.getrandbits(64):x}"
    if kind == 0:
        return HumanMessage("w" * size, id=id)
    if kind == 1:
        call = {"name": "find", "args": {"what": "x" * size}, "id": f"call-{number}", "type": "tool_call"}
        return AIMessage("", id=id, tool_calls=[call])
    if kind == 2:
        return ToolMessage("found " * (size // 6), id=id, tool_call_id=f"call-{number - 1}")
    return AIMessage("t" * size, id=id, usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})
