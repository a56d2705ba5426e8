"""From NewItem to what is stored: every field checked, every id given or made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from ..codec import pack_id
from ..errors import InvalidError
from ..ids import key_at
from ..limits import MAX_CHANGES, MAX_LINKS, check_id
from ..model import NewItem
from ..records import FORMAT, Append, Entry, Partition
from .checks import LOG

_PLAIN: Final = ("message", "json", None, None, None, ())
MAX_CREATED_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the latest that a datetime can say."""


def make_appends(items: NewItem | Sequence[NewItem], partition: Partition, once: str | None) -> tuple[list[str], list[Append]]:
    """Return the ids of these items, and the changes that append them.

    With a `once` token, an id that is not given is made from the token, so that a repeated call means the same items.

    Raises:
        InvalidError: something that is no NewItem, or a field of the wrong kind or size.
    """
    if (
        type(items) is NewItem
        and once is None
        and items.id is None
        and items.created_ms is None
        and type(items.data) is bytes
        and (items.kind, items.codec, items.author, items.parent, items.status, items.links) == _PLAIN
    ):
        # The commonest append by far.
        now = int(time.time() * 1000)
        key = key_at(now)
        return [key.hex()], [Append(LOG, Entry(FORMAT, key, now, items.data), True)]
    batch = [items] if isinstance(items, NewItem) else items
    if not isinstance(batch, Sequence) or isinstance(batch, str | bytes):
        raise InvalidError(f"items must be a clew.NewItem or a sequence of them, not {type(items).__name__}")
    if len(batch) > MAX_CHANGES:
        raise InvalidError(f"{len(batch):,} items are too many for one append: at most {MAX_CHANGES:,} are allowed, so split it")
    now = int(time.time() * 1000)
    ids: list[str] = []
    appends: list[Append] = []
    for index, item in enumerate(batch):
        if not isinstance(item, NewItem):
            raise InvalidError(f"items[{index}] must be a NewItem, not {type(item).__name__}: wrap bytes in clew.NewItem(data)")
        id, data, created_ms = item.id, item.data, item.created_ms
        if id is not None:
            key = pack_id(check_id(id, "an item's id"))
        elif once is not None:
            id = _derive_id(partition, once, index)
            key = pack_id(id)
        else:
            key = key_at(now)
        if not isinstance(data, bytes):
            raise InvalidError(f"an item's data must be bytes, not {type(data).__name__}: use clew.NewItem.json for JSON")
        words = (item.kind, item.codec, item.author, item.parent, item.status, item.links)
        if created_ms is None:
            created_ms = now
        else:
            _check_created(created_ms)
        if words == _PLAIN:
            entry = Entry(FORMAT, key, created_ms, data)
        else:
            check_words(*words)
            entry = Entry(FORMAT, key, created_ms, data, *words[:5], tuple(item.links))
        if id is None:
            ids.append(key.hex())
            appends.append(Append(LOG, entry, True))
        else:
            ids.append(id)
            appends.append(Append(LOG, entry))
    return ids, appends


def check_words(kind: str, codec: str, author: str | None, parent: str | None, status: str | None, links: Sequence[str]) -> None:
    """Raise InvalidError where one of the words that describe an item is none."""
    try:
        _check_names(kind, codec, author, parent, status)
    except TypeError:
        # What cannot be remembered is no word either, and is told so.
        _check_names.__wrapped__(kind, codec, author, parent, status)
        raise
    if links != ():
        if isinstance(links, str | bytes) or not isinstance(links, Sequence):
            raise InvalidError(f"an item's links must be a sequence of ids, not {type(links).__name__}: write links=['call-1']")
        if len(links) > MAX_LINKS:
            raise InvalidError(f"an item has {len(links):,} links: at most {MAX_LINKS:,} are allowed")
        for link in links:
            check_id(link, "a link")


@lru_cache(maxsize=1_024)
def _check_names(kind: str, codec: str, author: str | None, parent: str | None, status: str | None) -> None:
    """Raise InvalidError where one of these is no word. Nearly all items have the same few."""
    check_id(kind, "an item's kind")
    check_id(codec, "an item's codec")
    for word, what in ((author, "author"), (parent, "parent"), (status, "status")):
        if word is not None:
            check_id(word, f"an item's {what}")


def _check_created(ms: int) -> None:
    if isinstance(ms, bool) or not isinstance(ms, int) or not 0 <= ms <= MAX_CREATED_MS:
        raise InvalidError(f"created_ms must be milliseconds since 1970, as a whole number up to the year 9999, not {ms!r}")


def _derive_id(partition: Partition, once: str, index: int) -> str:
    check_id(once, "the once token")
    text = repr((*partition, once, index)).encode()
    return blake2b(text, digest_size=16, person=b"clew once").hexdigest()
