"""The power Erasing on SQLite: checked here, and worked out in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...erasing import Erased
from ...limits import check_id, check_value_key
from . import erasing
from .address import Address
from .engine import Engine


class EraseVerbs:
    """Implements Erasing."""

    _engine: Engine
    _address: Address

    async def list_owners(self, *, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Erasing.list_owners."""
        return await self._engine.read(lambda unit: erasing.list_owners(unit, cursor))

    async def erase_owner(self, owner: str, *, cursor: str | None = None, dry: bool = False) -> Erased:
        """See Erasing.erase_owner."""
        check_id(owner, "the owner")
        run = self._engine.read if dry else self._engine.write
        return await run(lambda unit: erasing.erase_owner(unit, owner, cursor, dry))

    async def erase_keys(
        self, prefix: str, *, member: bytes | None = None, cursor: str | None = None, dry: bool = False
    ) -> Erased:
        """See Erasing.erase_keys."""
        check_value_key(prefix)
        run = self._engine.read if dry else self._engine.write
        if member is None:
            return await run(lambda unit: erasing.erase_keys(unit, prefix, dry))
        return await run(lambda unit: erasing.erase_members(unit, prefix, member, dry))

    async def scrub(self) -> Sequence[str]:
        """See Erasing.scrub: VACUUM, which needs as much room again as the file has."""
        if self._address.path is None:
            return ()
        # Nobody writes a change of ours after it: what was erased is on the disk by now.
        await asyncio.to_thread(erasing.vacuum, self._address)
        return (
            "other programs that have the file open may keep its log (the file that ends in -wal) until they close it",
            "backups, and the disk's own free blocks, hold older data until they are overwritten",
        )
