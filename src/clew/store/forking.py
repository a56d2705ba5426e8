"""Forking: a copy of a thread up to an item, in one commit where it fits, and never seen half done where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ..backend import Backend
from ..errors import AlreadyExistsError, ConflictError, InvalidError
from ..ids import new_thread_id
from ..limits import MAX_CHANGES, MAX_COMMIT_BYTES, MAX_PAGE
from ..model import Ref, Thread, ThreadKey
from ..records import Append, Change, Partition, PutDocument
from .checks import LOG, need_expiry, no_thread, partition_of
from .finding import check_cursor, place_of, read_page
from .headers import copy_fields, make_thread, put_header, put_title
from .threads import Threads

HALF_DONE_MS: Final = 3600 * 1000
"""How long a long copy may take, before what there is of it vanishes: an hour."""


async def fork(
    backend: Backend, thread: ThreadKey, at: str | int | None, *, id: str | None, owner: str | None, title: str | None
) -> Thread:
    """See Items.fork."""
    source = partition_of(thread)
    target = partition_of(Ref(source.owner if owner is None else owner, new_thread_id() if id is None else id))
    check_cursor(at, "at")
    renamed = [] if title is None else [put_title(title)]
    snapshot, page = await asyncio.gather(
        backend.fetch(source), read_page(backend, source, before=at, limit=MAX_PAGE, inclusive=True)
    )
    if make_thread(source, snapshot) is None:
        raise no_thread(source)

    copy, last = _Copy(backend, target, is_known=id is not None), None
    at = place_of(at)
    while True:
        for entry in page.entries:
            await copy.add(Append(LOG, entry), len(entry.data))
            last = entry
        if last is None or not page.has_more:
            break
        # The position after the last one, since both ends of the page belong to it.
        page = await read_page(backend, source, after=last.position + 1, before=at, limit=MAX_PAGE, inclusive=True)
    header = put_header((source.name, None if last is None else last.id))
    fields = {change.key: change for change in [*copy_fields(snapshot.documents), *renamed]}
    try:
        await copy.finish([header, *fields.values()])
    except ConflictError as e:
        raise AlreadyExistsError(f"the owner has a thread {target.name!r} already", expected=0, actual=e.actual) from e
    return await Threads(backend).get(Ref(*target))


class _Copy:
    """The growing copy. What fits one commit waits for the header; of a longer one, all but the rest is written before."""

    def __init__(self, backend: Backend, target: Partition, *, is_known: bool) -> None:
        """Write nothing yet. `is_known` says whether others may know the target's name already."""
        self._backend = backend
        self._target = target
        self._is_known = is_known
        self._waiting: list[Change] = []
        self._bytes = 0
        self._revision = 0

    async def add(self, change: Append, size: int) -> None:
        """Take one more, and write what waits where it would not fit a commit any more."""
        if len(self._waiting) == MAX_CHANGES or self._bytes + size > MAX_COMMIT_BYTES:
            await self._write_part()
        self._waiting.append(change)
        self._bytes += size

    async def finish(self, header: Sequence[PutDocument]) -> None:
        """Make it a thread. ConflictError where another one has its name."""
        size = self._bytes + sum(len(change.data or b"") for change in header)
        if len(self._waiting) + len(header) > MAX_CHANGES or size > MAX_COMMIT_BYTES:
            await self._write_part()
        if self._revision:
            # It stays from here on. The other order could lose what is appended to a thread that everybody sees.
            await need_expiry(self._backend).expire(self._target, None)
        await self._backend.commit(self._target, [*self._waiting, *header], expect=self._revision, listed=True)

    async def _write_part(self) -> None:
        if self._revision == 0:
            if self._is_known:
                # Another's append to that name would be acknowledged, and vanish with a copy that dies.
                raise InvalidError(
                    "the copy does not fit one commit, and only one that does can be given an id: leave the id out"
                )
            expiry = need_expiry(self._backend)
            # Empty at first: what dies here leaves no more than a name.
            self._revision = (await self._backend.commit(self._target, [], expect=0)).revision
            await expiry.expire(self._target, HALF_DONE_MS, kind="fixed")
        self._revision = (await self._backend.commit(self._target, self._waiting, expect=self._revision)).revision
        self._waiting, self._bytes = [], 0
