"""Forgetting an owner: everything of theirs in the store is taken away, and then looked for until nothing is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..backend import Backend
from ..erasing import Erased, Erasing
from ..errors import UnsupportedError
from ..limits import check_id
from .owned_keys import Owned, owned_keys

WALKS: Final = 5
"""How often all is gone through where somebody goes on writing, before what is left is reported."""

Told = Callable[[Mapping[str, int]], None]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done.

    Attributes:
        owner: whose it was.
        found: keys (on Redis) or rows (on SQLite) by kind, before.
        left: those that a last look found: none, unless somebody wrote them meanwhile. In a dry run, all.
        notes: where erased bytes may stand outside of the store, in sentences.
    """

    owner: str
    found: Mapping[str, int]
    left: Mapping[str, int]
    notes: Sequence[str] = ()


def need_erasing(backend: Backend) -> Erasing:
    """Return the backend as one that erases owners, or raise UnsupportedError."""
    if isinstance(backend, Erasing):
        return backend
    raise UnsupportedError("this store cannot look for all that an owner has: delete their threads and values yourself")


async def forget(
    backend: Backend,
    owner: str,
    *,
    keys: Sequence[Owned] | None = None,
    dry: bool = False,
    scrub: bool = True,
    told: Told | None = None,
) -> Forgotten:
    """See Store.forget."""
    power = need_erasing(backend)
    check_id(owner, "the owner")
    chosen = owned_keys(owner, namespace=getattr(backend, "namespace", "clew")) if keys is None else keys
    before = await _walk(power, owner, chosen, True, None if not dry else told)
    if dry:
        return Forgotten(owner, before, before)
    left = before
    for _ in range(WALKS):
        await _walk(power, owner, chosen, False, told)
        left = await _walk(power, owner, chosen, True, None)
        if not left:
            break
    notes = await power.scrub() if scrub else ()
    return Forgotten(owner, before, left, notes)


async def _walk(power: Erasing, owner: str, keys: Sequence[Owned], dry: bool, told: Told | None) -> dict[str, int]:
    """Go through everything once."""
    # The owner last: that walk also purges what the others left to be purged.
    steps: list[Callable[[str | None], Awaitable[Erased]]] = [
        partial(_step_keys, power, prefix, member, dry) for prefix, member in keys
    ]
    steps.append(partial(_step_owner, power, owner, dry))
    total: Counter[str] = Counter()
    for step in steps:
        cursor: str | None = None
        while True:
            done = await step(cursor)
            total.update(done.found)
            if told is not None:
                told(done.found)
            cursor = done.cursor
            if cursor is None:
                break
    return {kind: count for kind, count in total.items() if count}


async def _step_keys(power: Erasing, prefix: str, member: bytes | None, dry: bool, cursor: str | None) -> Erased:
    return await power.erase_keys(prefix, member=member, cursor=cursor, dry=dry)


async def _step_owner(power: Erasing, owner: str, dry: bool, cursor: str | None) -> Erased:
    return await power.erase_owner(owner, cursor=cursor, dry=dry)
