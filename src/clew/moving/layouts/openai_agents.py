"""The layout of openai-agents' RedisSession 0.24: a hash and a list for each session, under one prefix.

    {prefix}:{session}            hash: session_id, created_at, updated_at (seconds)
    {prefix}:{session}:messages   list: an input item of the Responses API as JSON each, the oldest first

A list without its hash, which has expired alone, is a session too. An id that several items have names the first of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ...errors import InvalidError
from ...model import JSON, NewItem
from ..lists import FoundList, peek
from ..looking import Keys, name_of
from ..records import Broken, FoundThread, Row, Tell, reason_of
from ..said import is_word, ms_of, word_of
from ..source import RedisSource, split_key

PREFIX: Final = "agents:session"
CODEC: Final = "openai.responses/1"
_MESSAGES: Final = b":messages"
_KINDS: Final = {"function_call": "tool_call", "function_call_output": "tool_result", "reasoning": "reasoning"}
_decode: Final = msgspec.json.Decoder().decode


class OpenAIAgentsSource(RedisSource):
    """The sessions under a prefix."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = f"{prefix}:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix):
            rows = []
            for key in keys:
                if not key.endswith(_MESSAGES):
                    continue
                try:
                    rows.append(("", split_key(key, self._prefix).removesuffix(":messages"), "", key))
                except UnicodeDecodeError as error:
                    tell(Broken("thread", name_of(key), reason_of(error)))
            self.names.add(rows)

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        id = row.place[1]
        first = await peek(self.keys, row.key)
        if isinstance(first, Broken):
            # The hash of a session whose own id ends so is no list, and nothing is wrong with it.
            return None if (await self._about(row.key)).get("session_id") == f"{id}:messages" else first
        if first is None:
            return None
        about = await self._about(row.key.removesuffix(_MESSAGES))
        times: dict[str, JSON] = {
            name: datetime.fromtimestamp(ms / 1000, UTC).isoformat()
            for name in ("created_at", "updated_at")
            if (ms := ms_of(about.get(name))) is not None
        }
        ttl_ms = await self.keys.ttl(row.key)
        return FoundList(self.keys, row.key, describe, owner=None, id=id, metadata=times, ttl_ms=ttl_ms)

    async def _about(self, key: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        async for fields in self.keys.fields(key):
            found |= {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields}
        return found


def describe(data: bytes) -> NewItem:
    """Return the item that keeps an input item of the Responses API, byte for byte.

    Raises:
        InvalidError, ValueError: it is none.
    """
    value: Any = _decode(data)
    if not isinstance(value, dict) or not (is_word(value.get("type")) or is_word(value.get("role"))):
        raise InvalidError("it is no item: it has neither type nor role")
    kind, role, call = value.get("type"), value.get("role"), value.get("call_id")
    kind = "message" if kind is None else kind
    author = role if role is not None else "tool" if kind.endswith("_output") else "assistant"
    return NewItem(
        data,
        id=word_of(value.get("id")),
        kind=_KINDS.get(kind, kind),
        codec=CODEC,
        author=word_of(author),
        status=word_of(value.get("status")),
        links=(call,) if is_word(call) else (),
    )


def open_source(keys: Keys, prefix: str | None) -> OpenAIAgentsSource:
    """Open the layout.

    Args:
        prefix: the sessions' `key_prefix`.
    """
    return OpenAIAgentsSource(keys, prefix or PREFIX)
