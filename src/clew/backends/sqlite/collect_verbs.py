"""The powers Collecting and Pinging on SQLite: each call checked here, and worked out in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...errors import InvalidError
from ...limits import check_elements, check_ttl, check_value_key
from . import collecting, literal_keys
from .engine import Engine

_FAR: Final = 1 << 62
"""Beyond any list."""


class CollectVerbs:
    """Implements Collecting and Pinging."""

    _engine: Engine

    async def add_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.add_members."""
        check_value_key(key)
        found = check_elements(members, "the members")
        return await self._engine.write(lambda unit: collecting.add_members(unit, key, found))

    async def remove_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.remove_members."""
        check_value_key(key)
        found = check_elements(members, "the members")
        return await self._engine.write(lambda unit: collecting.remove_members(unit, key, found))

    async def get_members(self, key: str) -> Sequence[bytes]:
        """See Collecting.get_members."""
        check_value_key(key)
        return await self._engine.read(lambda unit: collecting.get_members(unit, key))

    async def push_elements(self, key: str, elements: Sequence[bytes]) -> int:
        """See Collecting.push_elements."""
        check_value_key(key)
        found = check_elements(elements, "the elements")
        return await self._engine.write(lambda unit: collecting.push_elements(unit, key, found))

    async def get_elements(self, key: str, first: int = 0, last: int = -1) -> Sequence[bytes]:
        """See Collecting.get_elements."""
        check_value_key(key)
        for place in (first, last):
            if isinstance(place, bool) or not isinstance(place, int):
                raise InvalidError(f"a place in a list is a whole number, not {place!r}")
        start, stop = (min(max(place, -_FAR), _FAR) for place in (first, last))
        return await self._engine.read(lambda unit: collecting.get_elements(unit, key, start, stop))

    async def count_elements(self, key: str) -> int:
        """See Collecting.count_elements."""
        check_value_key(key)
        return await self._engine.read(lambda unit: collecting.count_elements(unit, key))

    async def delete_key(self, key: str) -> bool:
        """See Collecting.delete_key."""
        check_value_key(key)
        return await self._engine.write(lambda unit: literal_keys.delete_key(unit, key))

    async def expire_key(self, key: str, ttl_ms: int | None) -> bool:
        """See Collecting.expire_key."""
        check_value_key(key)
        if ttl_ms is not None:
            check_ttl(ttl_ms)
        return await self._engine.write(lambda unit: literal_keys.expire_key(unit, key, ttl_ms))

    async def ping(self) -> None:
        """See Pinging.ping; it reads the file."""
        await self._engine.read(lambda unit: unit.db.execute("SELECT count(*) FROM lease").fetchone())
