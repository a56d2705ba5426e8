"""Plain appends of many callers, gathered: those to one log that wait for the same trip become one script call.

Each caller gets the revision and the positions it would have got alone. One that fails fails all that went with it, since
nothing in a plain append can be refused for one entry only. `together.py` makes one call of several of these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ...codec import encode_entry
from ...records import Append, Commit
from .client import Client
from .keys import Head, PartitionKeys, id_digest
from .requests import Reply, Request, pack
from .scripts import Script

MAX_ENTRIES: Final = 100
"""Entries that append.lua takes at once."""


class AppendRequest(Request):
    """A request that others may join until it goes."""

    durable = True
    _given = False
    entries = 0

    def __init__(
        self,
        key: bytes,
        future: asyncio.Future[Reply],
        deadline: float,
        script: Script,
        head: Head,
        shelf: Shelf,
    ) -> None:
        # Not by the base class, which sets what is the same for all of these.
        self.key = key
        self.future = future
        self.deadline = deadline
        self.script = script
        self.head = head
        self._shelf = shelf
        self._digests: list[bytes] = []
        self._envelopes: list[bytes] = []
        self._callers: list[tuple[asyncio.Future[Reply], int]] = []

    def join(self, future: asyncio.Future[Reply], changes: Sequence[Append]) -> None:
        """Add a caller's entries."""
        digests, envelopes = self._digests, self._envelopes
        for change in changes:
            entry = change.entry
            envelope = encode_entry(entry)
            digests.append(id_digest(entry.key))
            envelopes.append(b"$%d\r\n%b\r\n" % (len(envelope), envelope))
            if not change.fresh:
                self._given = True
        self._callers.append((future, len(changes)))
        self.entries += len(changes)

    def seal(self) -> bytes:
        """See Request.seal."""
        self._leave()
        count, how = self.entries, self._how(self.attempts)
        words = (17 + count, self.head.call, len(how), how, 6 * count, b"".join(self._digests))
        return self.lead + b"*%d\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % words + b"".join(self._envelopes)

    def seal_among(self, attempts: int) -> bytes:
        """Return the words of appends.lua for this one, and let nobody join any more."""
        self._leave()
        count, how = b"%d" % self.entries, self._how(attempts)
        words = (self.head.words, len(how), how, len(count), count, 6 * self.entries, b"".join(self._digests))
        return b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % words + b"".join(self._envelopes)

    def _how(self, attempts: int) -> bytes:
        commits = len(self._callers)
        # What goes a second time may have arrived the first time, so even a fresh id may be there.
        if self._given or attempts:
            return b"%d?" % commits
        return b"%d" % commits if commits > 1 else b""

    def _leave(self) -> None:
        if self._shelf.get(self.head.call) is self:
            del self._shelf[self.head.call]

    def settle(self, replies: list[Reply]) -> None:
        """See Request.settle: each caller gets its own revision and outcomes."""
        reply = replies[-1]
        if reply[0] != b"ok":
            for future, _ in self._callers:
                if not future.done():
                    future.set_result(reply)
            return
        revision, ms, at = reply[1], reply[2], reply[3]
        positions = reply[4:]
        for future, count in self._callers:
            if not future.done():
                outcomes = tuple(positions[:count] or range(at, at + count)) if count > 1 or positions else (at,)
                future.set_result(Commit(revision, ms, outcomes))
            positions = positions[count:]
            revision += 1
            at += count

    def fail(self, error: BaseException) -> None:
        """See Request.fail."""
        self._leave()
        for future, _ in self._callers:
            if not future.done():
                future.set_exception(error)


Shelf = dict[bytes, AppendRequest]
"""Those that have not gone yet, by all that has to be equal for another caller to join."""


def gather(
    client: Client, keys: PartitionKeys, log: str, changes: Sequence[Append], *, present: bool, listed: bool
) -> asyncio.Future[Reply]:
    """Append to one log; the future gets this caller's Commit, or what append.lua answers to refuse it.

    Args:
        changes: at most MAX_ENTRIES.
        present: whether the partition must exist.
        listed: whether the listing is written in the same script.
    """
    script, shelf, loop = client.scripts["append"], client.shelf, client.loop
    head = _head(keys, script, log, present, listed)
    future: asyncio.Future[Reply] = loop.create_future()
    request = shelf.get(head.call)
    if request is None or request.entries + len(changes) > MAX_ENTRIES:
        request = AppendRequest(keys.meta, future, loop.time() + client.options.timeout, script, head, shelf)
        request.join(future, changes)
        shelf[head.call] = request
        client.send(request)
    else:
        request.join(future, changes)
    return future


def _head(keys: PartitionKeys, script: Script, log: str, present: bool, listed: bool) -> Head:
    """Return what is the same for all such appends; remembered with the keys."""
    slot = (script.sha, log, present, listed)
    head = keys.calls.get(slot)
    if head is None:
        name, *log_keys = keys.log(log)
        mine = _words(keys.meta, keys.docs, keys.once, keys.leases, *log_keys)
        listing = _words(keys.listing if listed else keys.meta)
        words = _words(b"-1" if present else b"", keys.member if listed else b"", keys.bell, name)
        call = _words("EVALSHA", script.sha, 8) + mine + listing + words
        head = keys.calls[slot] = Head(call, mine, listing, words, listing if listed else b"")
    return head


def _words(*words: bytes | str | int) -> bytes:
    """Return words as they stand in a command, without the count before them."""
    packed = pack(*words)
    return packed[packed.index(b"\r\n") + 2 :]
