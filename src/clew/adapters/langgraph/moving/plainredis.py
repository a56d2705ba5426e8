"""The layout of langgraph-checkpoint-plainredis 0.1: strings, hashes and sorted sets under one prefix, `lg` by default.

    {prefix}:threads                               hash: timeline -> {"thread", "ns"}
    {prefix}:idx:{thread}:{ns}                     sorted set of checkpoint ids in the order of writing
    {prefix}:cp:{thread}:{ns}:{id}                 checkpoint, metadata and parent
    {prefix}:blob:{thread}:{ns}:{channel}:{version}
    {prefix}:wr:{thread}:{ns}:{id}                 hash: task:index -> write

It keeps no task paths, so writes come without. A value whose key has expired is left out, as the package itself does, and told.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol

from ....errors import InvalidError
from ....moving.looking import Keys, open_keys
from ....moving.names import Names, check_place
from .records import Broken, Closing, Found, FoundWrite, reason_of
from .values import load

PREFIX: Final = "lg"
PAGE: Final = 8
"""Checkpoints in memory at once."""


class PlainRedisSource(Closing):
    """The keys of langgraph-checkpoint-plainredis."""

    def __init__(self, keys: Keys, prefix: str, serde: SerializerProtocol) -> None:
        self._keys = keys
        self._prefix = prefix.rstrip(":")
        self._serde = serde
        self._timelines = Names()

    async def read(self) -> AsyncIterator[Found | Broken]:
        """See Source.read."""
        async for broken in self._learn():
            yield broken
        for page in self._timelines.pages(PAGE):
            for (thread, branch, _), timeline in page:
                async for found in self._read_branch(timeline, thread, branch):
                    yield found

    async def _learn(self) -> AsyncIterator[Broken]:
        """Remember the timelines of all threads."""
        async for fields in self._keys.fields(f"{self._prefix}:threads".encode()):
            rows = []
            for timeline, about in fields:
                try:
                    entry = json.loads(about)
                    thread, branch = check_place(entry["thread"], entry["ns"])
                    rows.append((thread, branch, "", timeline))
                except (ValueError, KeyError, TypeError) as error:
                    yield Broken("thread", _name(timeline), reason_of(error))
            self._timelines.add(rows)

    async def _read_branch(self, timeline: bytes, thread: str, branch: str) -> AsyncIterator[Found | Broken]:
        last: bytes | None = None
        while members := await self._keys.members(timeline, above=last, limit=PAGE):
            last = members[-1][1]
            ids = [member for member, _ in members]
            keys = [self._key("cp", thread, branch) + b":" + id for id in ids]
            for id, key, stored in zip(ids, keys, await self._keys.get(keys), strict=True):
                if stored is None:
                    if await self._keys.exists(key):
                        yield Broken("checkpoint", _name(key), "the key holds another type", thread, branch, _name(id))
                    # Else it has expired, and nobody sees it any more.
                    continue
                for found in await self._found(thread, branch, id, key, stored):
                    yield found

    async def _found(self, thread: str, branch: str, id: bytes, key: bytes, stored: bytes) -> list[Found | Broken]:
        place = (thread, branch, _name(id))
        found: list[Found | Broken] = []
        try:
            payload = self._load(stored)
            checkpoint, metadata, parent = dict(payload["checkpoint"]), dict(payload["metadata"]), payload.get("parent_id")
            versions = dict(checkpoint.get("channel_versions") or {})
        except Exception as error:
            # Whatever a stranger's bytes make a serializer raise: this one is told, and the others are read.
            return [Broken("checkpoint", _name(key), reason_of(error), *place)]
        blobs = [self._key("blob", thread, branch) + f":{channel}:{version}".encode() for channel, version in versions.items()]
        values = {}
        stored_values = await self._keys.get(blobs)
        if None in stored_values and not await self._keys.exists(key):
            # The thread was deleted just now: no half of it comes.
            return []
        for channel, blob, raw in zip(versions, blobs, stored_values, strict=True):
            try:
                if raw is None:
                    raise InvalidError("the key has expired, was deleted, or holds another type")
                if json.loads(raw)["t"] != "empty":
                    values[channel] = self._load(raw)
            except Exception as error:
                found.append(Broken("value", _name(blob), reason_of(error), *place))
        writes = []
        async for fields in self._keys.fields(self._key("wr", thread, branch) + b":" + id):
            for name, raw in fields:
                try:
                    task, _, index = name.decode().rpartition(":")
                    named, channel, value = self._load(raw)
                    writes.append(FoundWrite("", str(named or task), int(index), str(channel), value))
                except Exception as error:
                    found.append(Broken("write", f"write {_name(name)} of {_name(key)}", reason_of(error), *place))
        found.append(Found(*place, parent or None, {**checkpoint, "channel_values": values}, metadata, tuple(writes)))
        return found

    def _key(self, kind: str, thread: str, branch: str) -> bytes:
        return f"{self._prefix}:{kind}:{thread}:{branch}".encode()

    def _load(self, raw: bytes) -> Any:
        packed = json.loads(raw)
        return load(self._serde, packed["t"], base64.b64decode(packed["d"], validate=True))

    async def aclose(self) -> None:
        """Close the connections, and remove the temporary file."""
        self._timelines.close()
        await self._keys.aclose()


def _name(key: bytes) -> str:
    return key.decode(errors="replace")


async def open_plainredis(url: str, serde: SerializerProtocol, prefix: str | None = None) -> PlainRedisSource:
    """Open the keys of langgraph-checkpoint-plainredis.

    Raises:
        InvalidError, UnavailableError, DeniedError, UnsupportedError, MissingExtraError: the server cannot be asked.
    """
    return PlainRedisSource(await open_keys(url), prefix or PREFIX, serde)
