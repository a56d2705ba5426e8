"""The steps on a stored document that keep every writer's entries: to add some at its end, and to replace it as it was read."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from ...errors import ConflictError
from ...store import Values
from .document import KEPT, SEAL_BYTES, START, TTL_AT, Draft, fresh_part, seal_of, ttl_ms_in

MOST_TRIES: Final = 50
"""How often a document is read and written again before whoever is quicker has won."""


async def add_entries(
    values: Values, key: str, field: str, entries: bytes, rewrite: Callable[[bytes], bytes]
) -> tuple[bytes | None, bytes] | None:
    """Add entries to a document's list, in one step, and let its time to live begin anew.

    Args:
        field: the list's name.
        entries: their JSON, with commas between them, at least one.
        rewrite: makes the whole document, sealed, of one that another program wrote; then it is one read and one write more.

    Returns:
        the seal it had, None where it had none, and the seal it has; None where there is no document.

    Raises:
        UnavailableError: it may or may not have been done.
        ConflictError: others wrote each time in between.
    """
    fresh = fresh_part()
    # The list holds objects nearly always; an empty one needs no comma.
    filled, empty = (b"}", b"},"), (b'"%s":[' % field.encode(),) * 2
    place = filled
    for turn in range(MOST_TRIES):
        mark, lead = place
        done, found = await values.splice(
            key,
            b"".join((lead, entries, fresh)),
            mark=mark + START,
            tail=len(mark) + SEAL_BYTES,
            keep=KEPT,
            ttl_at=(len(mark) + TTL_AT[0], len(mark) + TTL_AT[1]),
        )
        if found is None:
            return None
        if done:
            return found[-SEAL_BYTES:], fresh + found[-KEPT:]
        before = found[-SEAL_BYTES - 1 : -SEAL_BYTES] if seal_of(found) else b""
        if before == b"}" or (before == b"[" and place is filled):
            place = filled if before == b"}" else empty
            continue
        stored = await values.get_data(key)
        if stored is None:
            return None
        written = rewrite(stored)
        if (await replace_as_read(values, key, stored, written))[0]:
            return None, written[-SEAL_BYTES:]
        place = filled
        await let_others_go(turn)
    raise busy(key)


async def replace_as_read(values: Values, key: str, stored: bytes, written: bytes) -> tuple[bool, bool]:
    """Put a sealed document where `stored` still stands; tell whether it was done, and whether there is a document at all."""
    seal = seal_of(stored)
    if seal is not None:
        done, found = await values.splice(key, written, mark=seal, tail=SEAL_BYTES, whole=True, ttl=ttl_in(written))
    else:
        done, found = await values.put_data(key, written, ttl=ttl_in(written), when=stored)
    return done, found is not None


async def replace_sealed(values: Values, key: str, seal: bytes, draft: Draft) -> tuple[bool, bool]:
    """Put a document where one with this seal stands, sending no more than has changed; tell as `replace_as_read`."""
    ttl = ttl_in(draft.seal)
    if draft.rest is not None:
        done, found = await values.splice(key, draft.rest + draft.seal, mark=seal, tail=SEAL_BYTES, head=draft.start, ttl=ttl)
    else:
        done, found = await values.splice(key, draft.raw, mark=seal, tail=SEAL_BYTES, whole=True, ttl=ttl)
    return done, found is not None


async def let_others_go(turn: int) -> None:
    """Wait a moment before a document is read again, longer each time."""
    if turn > 1:
        await asyncio.sleep(random.uniform(0, 0.002 * turn))


def ttl_in(document: bytes) -> float | None:
    """Return the seconds that a sealed document is to live, None for ever."""
    ttl_ms = ttl_ms_in(document[-SEAL_BYTES:])
    return ttl_ms / 1000 if ttl_ms else None


def busy(key: str) -> ConflictError:
    """Return the error for a document that others write all the time."""
    return ConflictError(f"{key!r} was written by others each time in between: try again")
