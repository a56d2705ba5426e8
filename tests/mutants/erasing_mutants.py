"""Mutants of erasing an owner: on the embedded engine, and on a server where it is the keys' names that tell whose they are."""

from __future__ import annotations

from typing import Final

from clew.backends.redis import erasing as on_redis
from clew.backends.sqlite import erasing as on_sqlite

from .planting import Mutant, python

_DROPPED: Final = """\
await asyncio.gather(*(self._drop_or_pass(Partition(owner, decode_part(name.decode()))) for name in sorted(names)))
            # Tombstones, and whatever a drop does not know.
            await _delete(client, keys)
"""
_FOUND: Final = 'return Erased(found, f"{phase}:{rows[-1][0]}:{last}")'
_BURIED: Final = 'unit.db.execute("DELETE FROM partition WHERE id = ?", (id,))'

ERASING_MUTANTS: Final[dict[str, Mutant]] = {
    "an erased owner stays in the listings": Mutant(
        python(on_redis, _DROPPED, "await _delete(client, [key for key in keys if b'}:threads' not in key])\n"), "TestErasing"
    ),
    "who is called nearly the same is erased too": Mutant(python(on_redis, 'b"[/}]*"', 'b"*"'), "TestErasing"),
    "a value stays where others went": Mutant(
        python(on_sqlite, "(*bounds, ROWS_AT_ONCE)).rowcount", "(*bounds, 1)).rowcount"), "TestErasing", "memory"
    ),
    "a look for what is left finds nothing": Mutant(
        python(on_sqlite, _FOUND, _FOUND.replace("(found", "({} if dry else found")), "TestErasing", "memory"
    ),
    "a tombstone is not erased": Mutant(python(on_sqlite, _BURIED, "pass"), "TestErasing", "memory"),
}
