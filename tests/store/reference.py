"""What a store promises, in dicts and lists: slow, in memory, and plain enough to be checked by reading it.

It knows the verbs, their typed errors and nothing of an engine. Times, times to live and followers are not in it, and what
limits sizes is not either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import clew
from clew import Ref
from clew.errors import (
    AlreadyExistsError,
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    ReusedTokenError,
    UnknownCursorError,
)
from clew.model import JSON
from clew.records import ANY, Any_

Cursor = str | int | None


class Said(NamedTuple):
    """An item, as it is read."""

    id: str
    position: int
    data: bytes
    kind: str
    codec: str
    author: str | None
    parent: str | None
    status: str | None
    links: tuple[str, ...]
    created_ms: int | None


class Head(NamedTuple):
    """A thread, as it is read."""

    owner: str
    id: str
    title: str | None
    metadata: dict[str, JSON]
    revision: int
    forked_from: tuple[str, str | None] | None


class Wrote(NamedTuple):
    """What an append did."""

    ids: tuple[str, ...]
    positions: tuple[int, ...]
    duplicates: frozenset[str]
    revision: int
    replayed: bool


class Leaf(NamedTuple):
    """A page: of items, of threads."""

    data: Sequence[object]
    """Each a Said, or each a Head."""
    has_more: bool


@dataclass
class Talk:
    """A thread that is there."""

    title: str | None = None
    metadata: dict[str, JSON] = field(default_factory=dict)
    forked_from: tuple[str, str | None] | None = None
    revision: int = 0
    items: dict[int, Said] = field(default_factory=dict)
    last: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    """Where each id stood that was removed last: it stays a cursor, until that place is cut off."""
    tokens: dict[str, tuple[tuple[int, ...], int]] = field(default_factory=dict)
    written: int = 0

    def find(self, id: str) -> Said | None:
        """Return the item that is there with this id."""
        return next((said for said in self.items.values() if said.id == id), None)

    def place(self, cursor: str | int) -> int:
        """Return the position that a cursor means."""
        if isinstance(cursor, int):
            return cursor
        said = self.find(cursor)
        if said is not None:
            return said.position
        if cursor not in self.removed:
            raise UnknownCursorError(cursor)
        return self.removed[cursor]

    def add(self, said: Said) -> int:
        """Append, and return the position; negative, that of the one that has the id."""
        first = self.find(said.id)
        if first is not None:
            return -first.position
        self.last += 1
        self.items[self.last] = said._replace(position=self.last)
        return self.last

    def cut(self, goes: Callable[[int], bool]) -> int:
        """Take away what stands in some positions, forget the ids that stood there, and return how many items went."""
        gone = {said.id for position, said in self.items.items() if goes(position)}
        self.items = {position: said for position, said in self.items.items() if not goes(position)}
        # An id means its newest place: once that is cut off, an older one is forgotten with it.
        self.removed = {id: at for id, at in self.removed.items() if id not in gone and not goes(at)}
        return len(gone)

    def read(self) -> list[Said]:
        """Return every item, oldest first."""
        return [self.items[position] for position in sorted(self.items)]


class Reference:
    """A whole store. Each verb is named as the store's: `threads_create` is `store.threads.create`."""

    def __init__(self, values: str = "", routes: str = "") -> None:
        """Be empty. The prefixes are those of the values and of the routes."""
        self._talks: dict[tuple[str, str], Talk] = {}
        self._gone: set[tuple[str, str]] = set()
        self._derived: dict[tuple[str, str, str, int], str] = {}
        self._writes = 0
        self._prefixes = values, routes
        self.literal: dict[str, bytes] = {}
        """What stands under literal keys."""

    @property
    def names(self) -> list[Ref]:
        """Every thread that is there, and every one that was."""
        return [Ref(*key) for key in sorted({*self._talks, *self._gone})]

    def revision(self, thread: Ref) -> int:
        """Return the revision of a thread, and some other number where there is none."""
        talk = self._talks.get(_key(thread))
        return 5 if talk is None else talk.revision

    # -- threads ------------------------------------------------------------------------------------------------------

    def threads_create(
        self, owner: str, *, id: str, title: str | None = None, metadata: Mapping[str, JSON] | None = None
    ) -> Head:
        """See Threads.create."""
        _check_title(title)
        self._refuse_taken(Ref(owner, id))
        talk = self._talks[owner, id] = Talk(title, _fields(metadata))
        self._write(talk)
        return _head(Ref(owner, id), talk)

    def threads_get(self, thread: Ref) -> Head:
        """See Threads.get."""
        return _head(thread, self._need(thread))

    def threads_list(self, owner: str, limit: int, cursor: Ref | None = None) -> Leaf:
        """See Threads.list; the cursor is the last thread of the page before."""
        mine = [(talk.written, Ref(*key)) for key, talk in self._talks.items() if key[0] == owner]
        end = self._writes + 1 if cursor is None else self._need(cursor).written
        names = [name for written, name in sorted(mine, key=lambda line: -line[0]) if written < end]
        return Leaf([self.threads_get(name) for name in names[:limit]], len(names) > limit)

    def threads_update(
        self,
        thread: Ref,
        *,
        title: str | clew.store.checks.Unset | None = clew.store.checks.UNSET,
        metadata: Mapping[str, JSON] | None = None,
        expect: int | None = None,
    ) -> Head:
        """See Threads.update."""
        is_titled = title is None or isinstance(title, str)
        if expect == 0 or not (is_titled or metadata):
            raise InvalidError
        talk_title = title if isinstance(title, str) else None
        _check_title(talk_title)
        talk = self._need(thread, expect)
        talk.title = talk_title if is_titled else talk.title
        talk.metadata = _fields({**talk.metadata, **(metadata or {})})
        self._write(talk)
        return _head(thread, talk)

    def threads_delete(self, thread: Ref) -> bool:
        """See Threads.delete."""
        was_there = self._talks.pop(_key(thread), None) is not None
        if was_there:
            self._gone.add(_key(thread))
        return was_there

    # -- items --------------------------------------------------------------------------------------------------------

    def items_append(
        self,
        thread: Ref,
        items: Sequence[clew.NewItem],
        *,
        made: Sequence[str] = (),
        once: str | None = None,
        expect: int | None = None,
        create: bool = False,
        title: str | None = None,
        metadata: Mapping[str, JSON] | None = None,
        trim_before: int | None = None,
    ) -> Wrote:
        """See Items.append; `made` are the ids that the store under test gave, where the items have none."""
        if not create and (expect == 0 or title is not None or metadata is not None):
            raise InvalidError
        _check_title(title)
        ids = tuple(self._name(thread, once, index, item, made) for index, item in enumerate(items))
        if len(set(ids)) < len(ids):
            raise InvalidError
        talk = self._find(thread)
        if not (items or create or trim_before):
            return Wrote((), (), frozenset(), self._need(thread, expect).revision, False)
        if talk is not None and once in talk.tokens:
            outcomes, revision = talk.tokens[once]
            if len(items) > len(outcomes):
                raise ReusedTokenError
            return _wrote(ids, outcomes[: len(items)], revision, True)
        if talk is None and create and expect in (None, 0):
            talk = self._talks[_key(thread)] = Talk(title, _fields(metadata))
        else:
            talk = self._need(thread, expect)
        if trim_before is not None:
            talk.cut(lambda position: position < trim_before)
        outcomes = tuple(talk.add(_said(id, item)) for id, item in zip(ids, items, strict=True))
        self._write(talk)
        if once is not None:
            talk.tokens[once] = outcomes, talk.revision
        return _wrote(ids, outcomes, talk.revision, False)

    def items_page(
        self,
        thread: Ref,
        *,
        after: Cursor = None,
        before: Cursor = None,
        limit: int = 20,
        newest_first: bool = False,
        missing_ok: bool = False,
    ) -> Leaf:
        """See Items.page."""
        if missing_ok and self._find(thread) is None and not isinstance(after, str) and not isinstance(before, str):
            return Leaf([], False)
        talk = self._need(thread)
        low = 0 if after is None else talk.place(after)
        high = talk.last + 1 if before is None else talk.place(before)
        found = [said for said in talk.read() if low < said.position < high]
        if newest_first:
            found.reverse()
        return Leaf(found[:limit], len(found) > limit)

    def items_tail(self, thread: Ref, limit: int = 200) -> list[Said]:
        """See Items.tail."""
        return self._need(thread).read()[-limit:]

    def items_get(self, thread: Ref, id: str) -> Said:
        """See Items.get."""
        found = self._need(thread).find(id)
        if found is None:
            raise NotFoundError(id)
        return found

    def items_replace(self, thread: Ref, id: str, data: bytes, *, expect: Said | None = None, **changed: object) -> Said:
        """See Items.replace."""
        found = self.items_get(thread, id)
        if expect is not None and expect != found:
            raise ConflictError("", expected=expect, actual=found)
        return self._put(thread, Said(**{**found._asdict(), "data": data, **changed}))

    def items_set_status(self, thread: Ref, id: str, status: str | None, *, expect: str | None) -> Said:
        """See Items.set_status."""
        found = self.items_get(thread, id)
        if found.status != expect:
            raise ConflictError("", expected=expect, actual=found.status)
        return self._put(thread, found._replace(status=status))

    def items_remove(self, thread: Ref, id: str) -> bool:
        """See Items.remove."""
        talk = self._need(thread)
        self._write(talk)
        found = talk.find(id)
        if found is not None:
            del talk.items[found.position]
            talk.removed[id] = found.position
        return found is not None

    def items_truncate(self, thread: Ref, after: str | int) -> int:
        """See Items.truncate."""
        talk = self._need(thread)
        last = talk.place(after)
        self._write(talk)
        return talk.cut(lambda position: position > last)

    def items_trim(self, thread: Ref, keep: int) -> int:
        """See Items.trim."""
        talk = self._need(thread)
        said = talk.read()
        if len(said) <= keep:
            return 0
        whole = [at for at in range(len(said)) if not _links(said[:at]) & _links(said[at:])]
        least = len(said) - keep
        at = min((at for at in whole if at >= least), default=max(whole))
        if at == 0:
            return 0
        self._write(talk)
        return talk.cut(lambda position: position < said[at].position)

    def items_fork(self, thread: Ref, at: Cursor = None, *, id: str, owner: str | None = None, title: str | None = None) -> Head:
        """See Items.fork."""
        _check_title(title)
        source = self._need(thread)
        end = source.last if at is None else source.place(at)
        copied = [said for said in source.read() if said.position <= end]
        target = Ref(thread.owner if owner is None else owner, id)
        self._refuse_taken(target)
        talk = self._talks[_key(target)] = Talk(source.title if title is None else title, dict(source.metadata))
        talk.forked_from = thread.id, copied[-1].id if copied else None
        for said in copied:
            talk.add(said)
        self._write(talk)
        return _head(target, talk)

    # -- values and routes --------------------------------------------------------------------------------------------

    def values_get(self, key: str) -> JSON:
        """See Values.get; the value alone."""
        data = self.literal.get(self._prefixes[0] + key)
        return None if data is None else json.loads(data)

    def values_put(self, key: str, value: JSON) -> None:
        """See Values.put."""
        self.literal[self._prefixes[0] + key] = _json(value)

    def values_create(self, key: str, value: JSON) -> bool:
        """See Values.create."""
        return self.power_put_value(self._prefixes[0] + key, _json(value), when=None)[0]

    def values_delete(self, key: str) -> bool:
        """See Values.delete."""
        return self.literal.pop(self._prefixes[0] + key, None) is not None

    def power_put_value(self, key: str, data: bytes | None, *, when: bytes | Any_ | None = ANY) -> tuple[bool, bytes | None]:
        """See clew.backend.Values.put_value."""
        old = self.literal.get(key)
        if not isinstance(when, Any_) and old != when:
            return False, old
        if data is None:
            self.literal.pop(key, None)
        else:
            self.literal[key] = data
        return True, old

    def routes_get(self, conversation: str) -> str | None:
        """See Routes.get."""
        data = self.literal.get(self._prefixes[1] + conversation)
        return None if data is None else data.decode()

    def routes_set(self, conversation: str, session_id: str) -> None:
        """See Routes.set."""
        self.literal[self._prefixes[1] + conversation] = session_id.encode()

    def routes_resolve(self, conversation: str, make: Callable[[], str]) -> tuple[str, bool]:
        """See Routes.resolve."""
        there = self.routes_get(conversation)
        if there is not None:
            return there, False
        self.routes_set(conversation, make())
        return make(), True

    def routes_rebind(self, conversation: str, *, expect: str, to: str) -> None:
        """See Routes.rebind."""
        there = self.routes_get(conversation)
        if there is None:
            raise NotFoundError(conversation)
        if there != expect:
            raise ConflictError("", expected=expect, actual=there)
        self.routes_set(conversation, to)

    def routes_delete(self, conversation: str, *, expect: str | None = None) -> bool:
        """See Routes.delete."""
        there = self.routes_get(conversation)
        if there is not None and expect not in (None, there):
            raise ConflictError("", expected=expect, actual=there)
        return self.literal.pop(self._prefixes[1] + conversation, None) is not None

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _find(self, thread: Ref) -> Talk | None:
        if _key(thread) in self._gone:
            raise GoneError(thread.id)
        return self._talks.get(_key(thread))

    def _need(self, thread: Ref, expect: int | None = None) -> Talk:
        talk = self._find(thread)
        if talk is None:
            raise NotFoundError(thread.id)
        if expect is not None and expect != talk.revision:
            raise ConflictError("", expected=expect, actual=talk.revision)
        return talk

    def _refuse_taken(self, thread: Ref) -> None:
        talk = self._find(thread)
        if talk is not None:
            raise AlreadyExistsError("", expected=0, actual=talk.revision)

    def _write(self, talk: Talk) -> None:
        self._writes += 1
        talk.written = self._writes
        talk.revision += 1

    def _put(self, thread: Ref, said: Said) -> Said:
        talk = self._need(thread)
        talk.items[said.position] = said
        self._write(talk)
        return said

    def _name(self, thread: Ref, once: str | None, index: int, item: clew.NewItem, made: Sequence[str]) -> str:
        """Return the item's id: given, or made anew, or for a token the one that the token made before."""
        if item.id is not None:
            return item.id
        place = (*_key(thread), once or "", index)
        if not made:
            return self._derived.get(place, f"none was made for {index}")
        return made[index] if once is None else self._derived.setdefault(place, made[index])


def _key(thread: Ref) -> tuple[str, str]:
    return thread.owner, thread.id


def _head(thread: Ref, talk: Talk) -> Head:
    return Head(thread.owner, thread.id, talk.title, dict(talk.metadata), talk.revision, talk.forked_from)


def _said(id: str, item: clew.NewItem) -> Said:
    words = (item.kind, item.codec, item.author, item.parent, item.status, tuple(item.links))
    return Said(id, 0, item.data, *words, item.created_ms)


def _wrote(ids: tuple[str, ...], outcomes: tuple[int, ...], revision: int, replayed: bool) -> Wrote:
    duplicates = frozenset(id for id, outcome in zip(ids, outcomes, strict=True) if outcome < 0)
    return Wrote(ids, tuple(map(abs, outcomes)), duplicates, revision, replayed)


def _fields(metadata: Mapping[str, JSON] | None) -> dict[str, JSON]:
    return {name: value for name, value in (metadata or {}).items() if value is not None}


def _check_title(title: str | None) -> None:
    if title == "":
        raise InvalidError


def _links(said: Sequence[Said]) -> set[str]:
    return {link for each in said for link in each.links}


def _json(value: JSON) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
