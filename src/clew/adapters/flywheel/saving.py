"""How a session is saved: as it was loaded where nobody wrote meanwhile, else together with what others did, or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from ...errors import InvalidError, UnavailableError
from ...limits import MAX_TTL_MS
from ...model import JSON
from ...store import Values
from .document import SEAL_BYTES, Document, Draft, compose, decode, split, ttl_ms_in
from .exact import thaw
from .fields import HISTORY, check_head, head_of, others_of, session_of
from .journal import MOST_TRIES, busy, let_others_go, replace_as_read, replace_sealed, ttl_in
from .merging import contains, merge
from .origin import Origin
from .outcome import Outcome
from .schema import NAME, Schema
from .session import UniversalSession

WHAT: Final = "the session"
ACCEPTED: Final = "_accepted"
"""The field of a document that says by journal up to which number it has what waited there."""
MOST_JOURNALS: Final = 8
"""Of how many journals a document remembers the numbers, the newest."""


class Saver:
    """Between sessions and stored documents.

    Args:
        schema: the version, and the way to it.
        ttl_ms: how long a session stays that has no time of its own; 0 for ever.
    """

    def __init__(self, schema: Schema, ttl_ms: int) -> None:
        self._schema = schema
        self._ttl_ms = ttl_ms

    def read(self, raw: bytes, what: str) -> Document:
        """Return a stored document, brought to today's schema; UnreadableError where that cannot be."""
        return split(self._schema.migrate(decode(raw, what), what), HISTORY, raw, what)

    def load(self, raw: bytes, what: str) -> UniversalSession:
        """Return the session that is stored; UnreadableError where there is none in it."""
        document = self.read(raw, what)
        count = len(document.entries) if document.seal is not None else 0
        origin = Origin(raw, document.seal, count, others=others_of(document.head), version=document.head[NAME])
        return session_of(document, origin, what)

    def write(self, session: UniversalSession) -> Draft:
        """Return a session's document; InvalidError where it cannot be stored as it is."""
        origin = session._origin
        head = head_of(session, self._version_of(origin), {} if origin is None else origin.others)
        before = None if origin is None or origin.seal is None else origin.before(HISTORY)
        return compose(head, HISTORY, session.history, self.ttl_ms_of(session.ttl_seconds), WHAT, before)

    def rewrite(self, raw: bytes, more: list[JSON], what: str, others: Mapping[str, JSON] | None = None) -> bytes:
        """Return a stored document with some more entries, and other fields, as clew writes it."""
        document = self.read(raw, what)
        ttl_ms = self.ttl_ms_of(document.head.get("ttl_seconds")) if document.seal is None else ttl_ms_in(document.seal)
        session = session_of(document, Origin(raw, document.seal), what)
        head = head_of(session, document.head[NAME], others_of(document.head) | dict(others or {}))
        return compose(head, HISTORY, [*document.entries, *more], ttl_ms, WHAT).raw

    def mark(self, raw: bytes, mark: tuple[str, int], what: str) -> bytes:
        """Return a document that notes up to which number it has what a journal holds."""
        found = decode(raw, what).get(ACCEPTED)
        marks = {name: up_to for name, up_to in (found.items() if isinstance(found, dict) else ()) if name != mark[0]}
        newest = dict([*marks.items(), mark][-MOST_JOURNALS:])
        return self.rewrite(raw, [], what, {ACCEPTED: newest})

    def merged(self, raw: bytes, stored: bytes, origin: Origin, what: str, *, is_there: bool = False) -> bytes:
        """Return the document that holds what a save and others did; ConflictError where they changed the same fields.

        Args:
            is_there: what the origin calls an attempt is in the stored document.
        """
        mine, theirs = self.read(raw, what), self.read(stored, what)
        check_head(theirs.head, what)
        base = self.read(origin.attempt, what) if is_there and origin.attempt else self._base(origin, theirs, what)
        head, entries = merge(base, mine, theirs)
        return compose(head, HISTORY, entries, ttl_ms_in(raw[-SEAL_BYTES:]), WHAT).raw

    def ttl_ms_of(self, seconds: JSON) -> int:
        """Return milliseconds, the manager's for None; InvalidError unless it is from 0.001 seconds to a hundred years."""
        return self._ttl_ms if seconds is None else check_seconds(seconds)

    async def save(self, values: Values, session: UniversalSession, *, overwrite: bool) -> Outcome:
        """Store a session, and note on it what it was stored as."""
        draft = self.write(session)
        origin = session._origin
        try:
            if overwrite:
                await values.put_data(session.id, draft.raw, ttl=ttl_in(draft.seal))
            elif not await self._put(values, session.id, origin, draft):
                return await self._save_merged(values, session, draft)
        except UnavailableError:
            session._origin = replace(origin or Origin(None), attempt=draft.raw, accepted=None)
            raise
        _settle(session, draft)
        return Outcome("saved")

    async def _put(self, values: Values, key: str, origin: Origin | None, draft: Draft) -> bool:
        """Write the document where nobody else wrote since `origin`; where there is none any more, it is made again."""
        there = False
        if origin is not None and origin.is_stored:
            if origin.stale:
                return False
            if origin.seal is None:
                assert origin.whole is not None
                done, there = await replace_as_read(values, key, origin.whole, draft.raw)
            elif origin.appended is None:
                done, there = await replace_sealed(values, key, origin.seal, draft)
            else:
                # What was added since stands in the store already, and not in the document that the draft follows.
                done, there = await replace_sealed(values, key, origin.seal, replace(draft, rest=None))
            if done or there:
                return done
        return (await values.put_data(key, draft.raw, ttl=ttl_in(draft.seal), when=None))[0]

    async def _save_merged(self, values: Values, session: UniversalSession, draft: Draft) -> Outcome:
        what = f"the session {session.id!r}"
        raw = draft.raw
        mine = self.read(raw, what)
        origin = session._origin
        for turn in range(MOST_TRIES):
            stored = await values.get_data(session.id)
            if stored is None:
                if (await values.put_data(session.id, raw, ttl=ttl_in(raw), when=None))[0]:
                    _settle(session, draft)
                    return Outcome("saved")
                continue
            merged = self.merged(raw, stored, origin or Origin(None), what)
            if (await replace_as_read(values, session.id, stored, merged))[0]:
                self._refresh(session, raw, mine, merged)
                return Outcome("saved", merged=True)
            await let_others_go(turn)
        raise busy(session.id)

    def _base(self, origin: Origin | None, theirs: Document, what: str) -> Document | None:
        """Return what both began with: what the session was loaded from, or its own last write, where that did arrive."""
        if origin is None:
            return None
        base = None
        if origin.raw is not None:
            base = self.read(origin.raw, what)
            added = msgspec.json.decode(b"[%s]" % b",".join(origin.entries()))
            base = replace(base, entries=[*base.entries, *map(thaw, added)])
        if origin.attempt is not None:
            attempt = self.read(origin.attempt, what)
            if origin.accepted is not None:
                # It waited in a journal, whose numbers tell more than a look at what it added.
                is_there = _up_to(theirs.head, origin.accepted[0]) >= origin.accepted[1]
            else:
                is_there = attempt.seal == theirs.seal or contains(attempt, base, theirs)
            if is_there:
                return attempt
        return base

    def _refresh(self, session: UniversalSession, raw: bytes, mine: Document, merged: bytes) -> None:
        """Give a session what was merged into it, but for what its owner changed while it was being written."""
        now = self.load(merged, f"the session {session.id!r}")
        was = session_of(mine, Origin(None), f"the session {session.id!r}")
        for name in vars(now):
            if name not in ("history", "_origin") and getattr(session, name) == getattr(was, name):
                setattr(session, name, getattr(now, name))
        late = session.history[len(was.history) :] if session.history[: len(was.history)] == was.history else None
        if late is not None:
            session.history[:] = now.history + late
            session._origin = now._origin
        else:
            # It was cut or changed meanwhile: what others added is put to it by the next save.
            session._origin = Origin(raw, stale=True)

    def _version_of(self, origin: Origin | None) -> str:
        return self._schema.version if origin is None or origin.version is None else origin.version


def _settle(session: UniversalSession, draft: Draft) -> None:
    """Note on a session that the draft of it is stored."""
    was = session._origin
    if was is None:
        session._origin = Origin(None, draft.seal, draft=draft)
    else:
        session._origin = Origin(None, draft.seal, others=was.others, version=was.version, draft=draft)


def accepted_up_to(raw: bytes, journal: str) -> int:
    """Return up to which number a stored document has what a journal holds; 0 where it has nothing of it."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Whoever writes to it says so.
        return 0
    return _up_to(found, journal) if isinstance(found, dict) else 0


def _up_to(head: Mapping[str, JSON], journal: str) -> int:
    marks = head.get(ACCEPTED)
    number = marks.get(journal) if isinstance(marks, dict) else None
    return number if isinstance(number, int) else 0


def check_seconds(seconds: object) -> int:
    """Return a time to live in milliseconds; InvalidError unless it is from 0.001 seconds to a hundred years."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if not is_number or not 0.001 <= seconds <= MAX_TTL_MS / 1000:  # type: ignore[operator]  # it is a number
        raise InvalidError(f"a time to live is a number of seconds, from 0.001 to 100 years, not {seconds!r}")
    return round(seconds * 1000)  # type: ignore[operator]  # as above
