"""The layout of LLMos' sessions.

    session:{id}                        JSON: name, and whatever else; the first messages may stand in it
    session:{id}:messages               list: a message as JSON each, {"role", "content", "timestamp"}
    {user|team|system}:{volume}:sessions    set of session ids
    all:sessions                        likewise, and not read

A user's sessions become that user's threads, a team's those of `clew:team:<volume>`, the system's those of `clew:system`, as the
service has volumes. A session that no set holds is nobody's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec

from ...errors import InvalidError
from ...model import JSON, NewItem
from ..lists import FoundList, derive_id
from ..looking import Keys, name_of
from ..names import Names
from ..records import Broken, FoundThread, Row, Tell, fit_title, reason_of
from ..said import keep_message
from ..source import RedisSource, split_key

PREFIX: Final = "session"
_SETS: Final = {b"user:": "", b"team:": "clew:team:"}
_SYSTEM: Final = "clew:system"
_MESSAGES: Final = b":messages"
_OURS: Final = frozenset({"id", "name", "messages"})
_decode: Final = msgspec.json.Decoder().decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class LlmosSource(RedisSource):
    """The sessions of all volumes."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = f"{prefix}:".encode()
        self._listed = Names()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        for start in (*_SETS, b"system:"):
            async for keys in self.keys.keys(start):
                for key in keys:
                    if key.endswith(b":sessions"):
                        await self._learn_volume(start, key, tell)
        async for keys in self.keys.keys(self._prefix):
            rows = []
            for key in keys:
                try:
                    id = split_key(key.removesuffix(_MESSAGES), self._prefix)
                    if not self._listed.has(id):
                        rows.append(("", id, "", self._prefix + id.encode()))
                except UnicodeDecodeError as error:
                    tell(Broken("thread", name_of(key), reason_of(error)))
            self.names.add(rows)

    async def _learn_volume(self, start: bytes, key: bytes, tell: Tell) -> None:
        is_set = False
        async for members in self.keys.elements_of_set(key):
            is_set = True
            rows = []
            for member in members:
                try:
                    volume = key.removeprefix(start).removesuffix(b":sessions").decode()
                    owner = _SYSTEM if start == b"system:" else _SETS[start] + volume
                    rows.append((owner, member.decode(), "", self._prefix + member))
                except UnicodeDecodeError as error:
                    tell(Broken("thread", f"{name_of(member)} in {name_of(key)}", reason_of(error)))
            self.names.add(rows)
            self._listed.add((id, "", "", b"") for _, id, _, _ in rows)
        if not is_set and await self.keys.exists(key):
            tell(Broken("volume", name_of(key), "the key holds another type"))

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        id = row.place[1]
        messages = row.key + _MESSAGES
        (raw,) = await self.keys.get([row.key])
        if raw is None:
            if await self.keys.exists(row.key):
                return Broken("thread", name_of(row.key), "the key holds another type", id)
            if not await self.keys.exists(messages):
                # It has expired, and is still in a set.
                return None
        fields: dict[str, msgspec.Raw] = {}
        embedded: list[msgspec.Raw] = []
        try:
            fields = _decode_fields(raw) if raw is not None else {}
            _check_words(_decode(raw) if raw is not None else None)
            if "messages" in fields and bytes(fields["messages"]) != b"null":
                embedded = _decode_list(fields["messages"])
            metadata: dict[str, JSON] = {name: _decode(value) for name, value in fields.items() if name not in _OURS}
            title = fit_title(_decode(fields["name"])) if "name" in fields else None
        except (ValueError, RecursionError) as error:
            return Broken("thread", name_of(row.key), reason_of(error), id)
        return _Session(
            self.keys,
            messages,
            [bytes(each) for each in embedded],
            owner=row.owner,
            id=id,
            title=title,
            metadata=metadata,
            ttl_ms=await self.keys.ttl(row.key),
        )

    async def aclose(self) -> None:
        """See RedisSource.aclose."""
        self._listed.close()
        await super().aclose()


class _Session(FoundList):
    """A session's list; before it, the messages in its document that the list does not begin with."""

    __slots__ = ("_embedded",)

    def __init__(self, keys: Keys, key: bytes, embedded: Sequence[bytes], **known: Any) -> None:
        super().__init__(keys, key, keep_message, **known)
        self._embedded = embedded

    async def items(self, mark: JSON) -> AsyncGenerator[list[NewItem | Broken]]:
        """See FoundThread.items."""
        if self._embedded:
            first = await self._keys.elements(self._key, 0, len(self._embedded)) or []
            if [_value(each) for each in first] != [_value(each) for each in self._embedded]:
                head = self._key.removesuffix(_MESSAGES) + b"\0"
                made = await self.make(self._embedded, 0, set())
                for at, (item, data) in enumerate(zip(made, self._embedded, strict=True)):
                    if isinstance(item, NewItem):
                        made[at] = msgspec.structs.replace(item, id=derive_id(head, at, data))
                yield made
        async for piece in super().items(mark):
            yield piece


def _value(data: bytes) -> Any:
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        return data


def _check_words(value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise InvalidError("it is no session: it is no JSON object")


def open_source(keys: Keys, prefix: str | None) -> LlmosSource:
    """Open the layout.

    Args:
        prefix: what stands before a session's id.
    """
    return LlmosSource(keys, prefix or PREFIX)
