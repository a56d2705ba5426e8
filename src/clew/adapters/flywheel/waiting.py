"""Writes to sessions that are accepted while the store is away, and written when it is back: in order for each, once each.

They stand in a journal on this machine's disk, as those to threads do. A document notes up to which number it has what a journal
holds, in the same step that writes it: so what is sent again is known, also by a process that was started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from ...codec import make_entry
from ...errors import NotFoundError, UnavailableError
from ...ids import new_id
from ...model import JSON
from ...records import Append, Change, Commit, Once, Partition
from ...store import Values
from ...wrappers.journal import Book, Drainer, Options, take_book
from ...wrappers.journal.records import Write, encode_write
from .journal import MOST_TRIES, let_others_go, replace_as_read, ttl_in
from .origin import Origin
from .saving import Saver, accepted_up_to

OWNER: Final = "clew:flywheel"
"""Whose the writes are in the journal, where each has an owner and a name."""
SETTLE_S: Final = 2.0
"""How long a look at a session waits for the writes that are on their way to it."""
_TURNS: Final = "turns"
_SAVE: Final = "save"


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """A save, with what the session knew of the store.

    Attributes:
        raw: the document.
        base, appended, attempt, accepted: as in Origin.
        overwrite: write it whatever is stored.
        present: only where a session is stored.
    """

    raw: bytes
    base: bytes | None
    appended: bytes
    attempt: bytes | None
    accepted: tuple[str, int] | None
    overwrite: bool
    present: bool


class Waiting:
    """The writes that wait, and the task that writes them.

    Args:
        options: where the journals are.
        store: which store and keys they are for: journals of others are left alone.
        ask: does something with the store, or raises UnavailableError.
    """

    def __init__(
        self, options: Options, store: str, saver: Saver, ask: Callable[[Callable[[Values], Awaitable[bool]]], Awaitable[bool]]
    ) -> None:
        self._options, self._store, self._saver, self._ask = options, store, saver, ask
        self._opening = asyncio.Lock()
        self._book: Book | None = None
        self._drainer: Drainer | None = None

    async def open(self) -> None:
        """Open a journal, and write what waits in it from now on. The errors are those of `open_journal`."""
        async with self._opening:
            if self._drainer is None:
                self._book = await take_book(f"flywheel {self._store}", self._options)
                self._drainer = Drainer(self, self._book, reach=None)
                self._drainer.start()

    async def aclose(self) -> None:
        """Stop. What waits stays in the journal, for the next one that opens it."""
        drainer, book, self._drainer, self._book = self._drainer, self._book, None, None
        if drainer is not None and book is not None:
            await drainer.aclose()
            await book.aclose()

    @property
    def depth(self) -> int:
        """How many writes wait."""
        return 0 if self._drainer is None else self._drainer.depth

    def has(self, key: str) -> bool:
        """Tell whether writes to a session wait."""
        return self._drainer is not None and Partition(OWNER, key) in self._drainer.queues

    async def settled(self, key: str) -> None:
        """Return when no write to a session waits; UnavailableError where that takes long, or the store is away."""
        if self._drainer is not None:
            await self._drainer.settled(Partition(OWNER, key), SETTLE_S)

    async def save(self, key: str, raw: bytes, origin: Origin | None, *, overwrite: bool, present: bool) -> Origin:
        """Accept a save, and return what its session knows then. FullError where there is no room."""
        known = origin or Origin(None)
        record = Saved(raw, known.raw, b",".join(known.entries()), known.attempt, known.accepted, overwrite, present)
        seq = await self._add(key, _SAVE, msgspec.msgpack.encode(record))
        assert self._book is not None
        return replace(known, attempt=raw, accepted=(self._book.id, seq), stale=True)

    async def append(self, key: str, entries: bytes) -> None:
        """Accept entries of a session's history, as JSON with commas between them. FullError where there is no room."""
        await self._add(key, _TURNS, entries)

    async def _add(self, key: str, what: str, data: bytes) -> int:
        book, drainer = self._book, self._drainer
        assert book is not None
        assert drainer is not None
        partition = Partition(OWNER, key)
        write = Write([Append(what, make_entry(new_id(), data))])
        return await book.add(partition, encode_write(write), lambda seq: drainer.add(partition, seq))

    # -- the store, to the drainer ------------------------------------------------------------------------------------

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """Write what was accepted of a session, all of it or nothing.

        Raises:
            NotFoundError, ConflictError, UnreadableError: it cannot be done any more.
        """
        assert isinstance(once, str), "the drainer has a token for each commit"
        journal, _, numbers = once.rpartition("/")
        mark = journal.rpartition("/")[2], int(numbers.rpartition("-")[2])
        if not await self._ask(lambda values: self._write(values, partition.name, changes, mark)):
            raise UnavailableError(f"the session {partition.name!r} was written by others each time in between")
        return Commit(0, 0)

    async def _write(self, values: Values, key: str, changes: Sequence[Change], mark: tuple[str, int]) -> bool:
        what = f"the session {key!r}"
        for turn in range(MOST_TRIES):
            stored = await values.get_data(key)
            if stored is not None and accepted_up_to(stored, mark[0]) >= mark[1]:
                return True
            written = self._saver.mark(self._apply(stored, changes, what), mark, what)
            if stored is None:
                done, _ = await values.put_data(key, written, ttl=ttl_in(written), when=None)
            else:
                done, _ = await replace_as_read(values, key, stored, written)
            if done:
                return True
            await let_others_go(turn)
        return False

    def _apply(self, stored: bytes | None, changes: Sequence[Change], what: str) -> bytes:
        written, known = stored, set[bytes]()
        for change in changes:
            assert isinstance(change, Append)
            data = change.entry.data
            if change.log == _SAVE:
                record = msgspec.msgpack.decode(data, type=Saved)
                if written is None and record.present:
                    raise NotFoundError(f"there is no {what.removeprefix('the ')} any more")
                written = self._saved(written, record, known, what)
                known.add(record.raw)
            else:
                if written is None:
                    raise NotFoundError(f"there is no {what.removeprefix('the ')} any more")
                more: list[JSON] = msgspec.json.decode(b"[%b]" % data)
                written = self._saver.rewrite(written, more, what)
        assert written is not None, "a commit has a change"
        return written

    def _saved(self, stored: bytes | None, record: Saved, known: set[bytes], what: str) -> bytes:
        if stored is None or record.overwrite:
            return record.raw
        origin = Origin(
            record.base,
            appended=(None, record.appended) if record.appended else None,
            attempt=record.attempt,
            accepted=record.accepted,
        )
        return self._saver.merged(record.raw, stored, origin, what, is_there=record.attempt in known)
