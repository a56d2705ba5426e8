"""The layout of agent-framework-redis' RedisHistoryProvider 1.0: a list of message JSON for each session.

    {prefix}|v2|{tenant or ~none}|{application}|{agent or ~none}|{source}|{session}
    {prefix}:{session}                                                     of key_format="legacy", and of older versions

A part that is no plain word is written in base32, behind `~redis-` and its name. One that was too long is there as a digest only,
and then stands for itself. A tenant's sessions become that tenant's threads. Tenant, application, agent and source are kept as
metadata.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from typing import Final

from clew.model import JSON
from clew.moving.looking import Keys, name_of
from clew.moving.records import Broken, FoundThread, Row, Tell, reason_of
from clew.moving.source import RedisSource, split_key

from .records import open_list

PREFIX: Final = "chat_messages"
_ABSENT: Final = "~none"
_NAMES: Final = ("tenant", "application", "agent", "source", "session")


class ProviderSource(RedisSource):
    """The sessions of all providers with one key prefix."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        encoded = b32encode(prefix.encode()).decode().rstrip("=").lower()
        self._scoped = (f"{prefix}|v2|".encode(), f"~redis-key-prefix-{encoded}|v2|".encode())
        self._legacy = f"{prefix}:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        for prefix in (*self._scoped, self._legacy):
            async for keys in self.keys.keys(prefix):
                rows = []
                for key in keys:
                    try:
                        if prefix == self._legacy:
                            rows.append(("", split_key(key, prefix), "", key))
                            continue
                        parts = split_parts(split_key(key, prefix))
                        rows.append((parts.get("tenant") or "", parts["session"] or "", "", key))
                    except ValueError as error:
                        tell(Broken("thread", name_of(key), reason_of(error)))
                self.names.add(rows)

    async def open(self, row: Row) -> FoundThread | Broken | None:
        """See Source.open."""
        metadata: dict[str, JSON] = {}
        for prefix in self._scoped:
            if row.key.startswith(prefix):
                parts = split_parts(split_key(row.key, prefix))
                metadata = {name: part for name, part in parts.items() if name != "session" and part is not None}
        return await open_list(self.keys, row.key, row.place[1], owner=row.owner, metadata=metadata)


def split_parts(text: str) -> dict[str, str | None]:
    """Return the parts of a key by name, None for one that is absent; ValueError where they are not five."""
    return {
        name: None if part == _ABSENT else _decode(part, f"~redis-{name}-")
        for name, part in zip(_NAMES, text.split("|"), strict=True)
    }


def _decode(part: str, marker: str) -> str:
    encoded = part.removeprefix(marker)
    if encoded == part or "-" in encoded:
        # A plain word; or a digest, which the base32 of this alphabet never has a hyphen like.
        return part
    return b32decode(encoded.upper() + "=" * (-len(encoded) % 8)).decode()


def open_source(keys: Keys, prefix: str | None) -> ProviderSource:
    """Open the layout.

    Args:
        prefix: the providers' `key_prefix`.
    """
    return ProviderSource(keys, prefix or PREFIX)
