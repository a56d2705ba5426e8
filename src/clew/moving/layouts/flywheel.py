"""The layout of the flywheel's state, whose keys clew has too, to the letter: to move it is to copy it to another store.

    {prefix}:session:{id}    {prefix}:execution:{id}    {prefix}:history:{session}:{flow}

Each is a JSON document with its time to live. An environment may stand after the prefix, as in `{prefix}:prod:session:s1`. In the
store that it is in already there is nothing to do.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..looking import Keys, name_of
from ..records import Broken, FoundValue, Row, Tell, reason_of
from ..source import RedisSource

PREFIX: Final = "agentic_flywheel"
_KINDS: Final = frozenset({b"session", b"execution", b"history"})
_decode: Final = msgspec.json.Decoder().decode


class FlywheelSource(RedisSource):
    """The documents under a prefix."""

    def __init__(self, keys: Keys, prefix: str) -> None:
        super().__init__(keys)
        self._prefix = f"{prefix}:".encode()

    async def learn(self, tell: Tell) -> None:
        """See Source.learn."""
        async for keys in self.keys.keys(self._prefix):
            self.names.add(("", "", "", key) for key in keys if self._is_ours(key))

    def _is_ours(self, key: bytes) -> bool:
        parts = key.removeprefix(self._prefix).split(b":", 2)
        return len(parts) > 1 and (parts[0] in _KINDS or parts[1] in _KINDS)

    async def open(self, row: Row) -> FoundValue | Broken | None:
        """See Source.open."""
        return await open_value(self.keys, row.key)


async def open_value(keys: Keys, key: bytes) -> FoundValue | Broken | None:
    """Return the JSON document under a key as its bytes; None where it has gone."""
    (data,), ttl_ms = await keys.get([key]), await keys.ttl(key)
    if data is None:
        return Broken("value", name_of(key), "the key holds another type") if await keys.exists(key) else None
    try:
        _decode(data)
        return FoundValue(key.decode(), data, ttl_ms)
    except (ValueError, RecursionError) as error:
        return Broken("value", name_of(key), reason_of(error))


def open_source(keys: Keys, prefix: str | None) -> FlywheelSource:
    """Open the layout.

    Args:
        prefix: the key prefix, without the environment.
    """
    return FlywheelSource(keys, prefix or PREFIX)
