"""A conversation of an agent with tools, as LangGraph puts it into a saver: one message more at each step.

What a step puts was read off a graph of `agent` and `tools` (a StateGraph over MessagesState): the channels, versions, metadata
and writes. The messages have the fields that a model's client fills, and about 690 bytes each when serialized.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import _DeltaSnapshot

WORDS: Final = ("order", "shipped", "on", "Monday", "from", "Lyon", "the", "house", "before", "end", "this", "week", "you")


class Step(NamedTuple):
    """A step: the writes of its task, for the checkpoint before it, then its own checkpoint, for the same configuration."""

    config: Any
    writes: Sequence[tuple[str, Any]]
    task: str
    path: str
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    changed: dict[str, Any]


class Conversation:
    """One thread, and how far it is.

    Args:
        saver: makes the versions; it is given nothing.
        thread: the thread's id.
        delta: the messages are a delta channel: in no checkpoint but the first, only in the writes.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any], thread: str, *, delta: bool = False) -> None:
        self.config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        self.messages: list[AnyMessage] = []
        self._saver = saver
        self._delta = delta
        self._talk = Talk(thread)
        self._versions: dict[str, Any] = {}
        self._seen: dict[str, dict[str, Any]] = {"__input__": {}}
        self._last: Any = self.config
        self._step = -2

    def begin(self, count: int = 0) -> Step:
        """Return the first step, whose checkpoint has this many messages at once."""
        self.messages = [self._talk.speak() for _ in range(count)]
        value = _DeltaSnapshot(self.messages) if self._delta else self.messages
        return self._take([], ("__start__", "messages"), {"messages": value}, "__start__", "input")

    def go_on(self) -> Step:
        """Return the next step, whose checkpoint has one message more."""
        message = self._talk.speak()
        self.messages = [*self.messages, message]
        node = {"ai": "agent", "tool": "tools"}.get(message.type, "__start__")
        came = "__start__" if node == "__start__" else f"branch:to:{node}"
        if came in self._versions:
            self._seen[node] = {came: self._versions[came]}
        values: dict[str, Any] = {} if self._delta else {"messages": self.messages}
        writes: list[tuple[str, Any]] = [("messages", [message])]
        names: tuple[str, ...] = ("messages", came)
        if node != "agent" or (isinstance(message, AIMessage) and message.tool_calls):
            follows = "branch:to:tools" if node == "agent" else "branch:to:agent"
            values[follows] = None
            writes.append((follows, None))
            names = (*names, follows)
        return self._take(writes, names, values, node, "loop")

    def resume(self, found: CheckpointTuple) -> None:
        """Go on from a checkpoint that was read."""
        checkpoint = found.checkpoint
        self.messages = checkpoint["channel_values"]["messages"]
        self._versions = dict(checkpoint["channel_versions"])
        self._seen = {name: dict(seen) for name, seen in checkpoint["versions_seen"].items()}
        self._step = found.metadata["step"]
        self._last = found.config
        for _ in self.messages:
            self._talk.speak()

    def note(self, config: Any) -> None:
        """Take what the saver returned for the last step as the place to go on from."""
        self._last = config

    def _take(self, writes: list[tuple[str, Any]], names: Sequence[str], values: dict[str, Any], node: str, source: Any) -> Step:
        self._step += 1
        version = self._saver.get_next_version(max(self._versions.values(), default=None), None)
        changed = dict.fromkeys(names, version)
        self._versions = {**self._versions, **changed}
        checkpoint: Checkpoint = {
            "v": 4,
            "id": str(uuid6(clock_seq=self._step + 1)),
            "ts": datetime.now(UTC).isoformat(),
            "channel_values": values,
            "channel_versions": self._versions,
            "versions_seen": {name: dict(seen) for name, seen in self._seen.items()},
            "updated_channels": sorted(names),
        }
        metadata: CheckpointMetadata = {"source": source, "step": self._step, "parents": {}}
        return Step(self._last, writes, self._talk.name(), f"~__pregel_pull, {node}", checkpoint, metadata, changed)


class Talk:
    """Messages, one after the other: a question, a call of a tool, its result, an answer, and again."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._count = 0
        self._call = ""

    def name(self) -> str:
        """Return a new UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def speak(self) -> AnyMessage:
        """Return the next message."""
        turn = self._count % 4
        self._count += 1
        if turn == 0:
            return HumanMessage(self._say(530), id=self.name())
        if turn == 2:
            return ToolMessage(self._say(470), id=self.name(), tool_call_id=self._call, name="search_orders")
        self._call = f"call_{self._random.getrandbits(96):024x}"
        asked = {"name": "search_orders", "args": {"query": self._say(190), "limit": 5}, "id": self._call, "type": "tool_call"}
        size = 1_000 + self._count
        return AIMessage(
            "" if turn == 1 else self._say(330),
            id=f"run--{self.name()}",
            tool_calls=[asked] if turn == 1 else [],
            response_metadata={"finish_reason": "tool_calls" if turn == 1 else "stop", "model_name": "gpt-4.1-2025-04-14"},
            usage_metadata={"input_tokens": size, "output_tokens": 80, "total_tokens": size + 80},
        )

    def _say(self, size: int) -> str:
        length = self._random.randint(size // 2, size + size // 2)
        return " ".join(self._random.choice(WORDS) for _ in range(length // 2))[:length]
