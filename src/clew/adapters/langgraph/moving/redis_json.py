"""The layout of langgraph-checkpoint-redis 0.5: RedisJSON documents, one a checkpoint with all its values, and one a write.

    checkpoint:{thread}:{ns}:{id}                      and, of the shallow saver, checkpoint:{thread}:{ns}:shallow
    checkpoint_write:{thread}:{ns}:{id}:{task}:{index}

Keys come by SCAN, so RediSearch need not be there; since SCAN knows no order, their names wait in a temporary file until all
are known. What the documents hold is what counts, never a key's parts, which may hold the separator.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol

from ....errors import InvalidError
from ....moving.looking import Keys, open_keys
from ....moving.names import Names, Place, check_place
from .envelopes import revive_json
from .records import Broken, Closing, Found, FoundWrite, Kind, reason_of
from .values import load

PREFIX: Final = "checkpoint"
WRITE_SUFFIX: Final = "_write"
PAGE: Final = 8
"""Checkpoints in memory at once."""
_NO_TEXT: Final = "__empty__"
_NO_ID: Final = "00000000-0000-0000-0000-000000000000"
"""What the package writes for an empty namespace, and for an empty id."""
_PLACE: Final = ("$.thread_id", "$.checkpoint_ns", "$.checkpoint_id")


class RedisJsonSource(Closing):
    """The documents of langgraph-checkpoint-redis."""

    def __init__(self, keys: Keys, prefix: str, write_prefix: str, serde: SerializerProtocol) -> None:
        self._keys = keys
        self._prefix = prefix
        self._write_prefix = write_prefix
        self._serde = serde
        self._found_keys, self._written_keys = Names(), Names()

    async def read(self) -> AsyncIterator[Found | Broken]:
        """See Source.read."""
        async for broken in self._learn("checkpoint", self._prefix, self._found_keys):
            yield broken
        async for broken in self._learn("write", self._write_prefix, self._written_keys):
            yield broken
        for page in self._found_keys.pages(PAGE):
            for (place, key), document in zip(page, await self._keys.json([key for _, key in page]), strict=True):
                if document is not None:
                    for found in await self._found(place, key, document):
                        yield found

    async def _learn(self, kind: Kind, prefix: str, names: Names) -> AsyncIterator[Broken]:
        """Remember the keys of all documents of a kind, by the checkpoint that they are of."""
        async for keys in self._keys.keys(f"{prefix}:".encode()):
            rows = []
            for key, told in zip(keys, await self._keys.json(keys, *_PLACE), strict=True):
                try:
                    if told is None:
                        if await self._keys.exists(key):
                            raise InvalidError("the key holds no JSON document")
                        continue
                    thread, ns, id = check_place(*(json.loads(told)[path][0] for path in _PLACE))
                    rows.append((_real_id(thread), _real_text(ns), _real_id(id), key))
                except (ValueError, LookupError, TypeError) as error:
                    yield Broken(kind, _name(key), reason_of(error))
            names.add(rows)

    async def _found(self, place: Place, key: bytes, raw: bytes) -> list[Found | Broken]:
        try:
            document = json.loads(raw)
            stored = document["checkpoint"]
            stored = dict(json.loads(stored) if isinstance(stored, str) else stored)
            metadata = _metadata(document.get("metadata"))
            parent = document.get("parent_checkpoint_id") or ""
            values = {channel: revive_json(value) for channel, value in (stored.get("channel_values") or {}).items()}
        except Exception as error:
            # Whatever a stranger's document is: this one is told, and the others are read.
            return [Broken("checkpoint", _name(key), reason_of(error), *place)]
        # The package's own notes: how it serialized, and what it never fills.
        stored.pop("type", None)
        if not stored.get("pending_sends"):
            stored.pop("pending_sends", None)
        found: list[Found | Broken] = []
        writes = []
        keys = self._written_keys.of(place)
        for name, write in zip(keys, await self._keys.json(keys), strict=True):
            try:
                if write is not None:
                    writes.append(self._write(json.loads(write)))
            except Exception as error:
                found.append(Broken("write", _name(name), reason_of(error), *place))
        checkpoint = {**stored, "channel_values": values}
        found.append(Found(*place, _real_id(parent) or None, checkpoint, metadata, tuple(writes)))
        return found

    def _write(self, document: dict[str, Any]) -> FoundWrite:
        type_, blob = document["type"], base64.b64decode(document["blob"])
        value = revive_json(json.loads(blob)) if type_ == "json" else load(self._serde, type_, blob)
        return FoundWrite(document.get("task_path") or "", document["task_id"], int(document["idx"]), document["channel"], value)

    async def aclose(self) -> None:
        """Close the connections, and remove the temporary file."""
        self._found_keys.close()
        self._written_keys.close()
        await self._keys.aclose()


def _metadata(stored: Any) -> dict[str, Any]:
    metadata = json.loads(stored) if isinstance(stored, str) else (stored or {})
    return {
        name.replace("\0", ""): value.replace("\0", "") if isinstance(value, str) else value for name, value in metadata.items()
    }


def _real_text(stored: str) -> str:
    return "" if stored == _NO_TEXT else stored


def _real_id(stored: str) -> str:
    return "" if stored == _NO_ID else stored


def _name(key: bytes) -> str:
    return key.decode(errors="replace")


async def open_redis_json(
    url: str, serde: SerializerProtocol, prefix: str | None = None, write_prefix: str | None = None
) -> RedisJsonSource:
    """Open the documents of langgraph-checkpoint-redis.

    Args:
        prefix: the `checkpoint_prefix` of its savers.
        write_prefix: their `checkpoint_write_prefix`; the other one with `_write` for None.

    Raises:
        InvalidError, UnavailableError, DeniedError, UnsupportedError, MissingExtraError: the server cannot be asked.
    """
    prefix = prefix or PREFIX
    return RedisJsonSource(await open_keys(url), prefix, write_prefix or prefix + WRITE_SUFFIX, serde)
