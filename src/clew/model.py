"""The nouns people use: threads, items, pages. Plain and frozen; made by `clew.store`, never by hand, but for NewItem.

Payloads are kept byte for byte. Whoever wants JSON calls `Item.json()` on what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from .limits import check_json
from .records import Entry

T = TypeVar("T")

Item: TypeAlias = Entry
"""An entry of a thread's log: `id`, `position`, `data` (the framework's own bytes), `kind`, `codec`, `author`, `parent`,
`status`, `links`, `created_at`, and `unreadable` where the stored record cannot be decoded. The same object that the backend
decoded: a page is decoded once."""

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, or a list or dict of them. Typed Any, since callers know their own shape."""


class ThreadKey(Protocol):
    """What names a thread: an owner and an id. A Thread is one; `Ref` is the bare form."""

    @property
    def owner(self) -> str: ...

    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a thread, where only its owner and id are known."""

    owner: str
    id: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation: its name, its header, and where it stands.

    Attributes:
        owner: whose it is; part of the key, never inferred.
        id: unique for the owner.
        title: for people; None where nobody gave one.
        metadata: JSON values by field; each field is merged by itself.
        notes: what an integration keeps beside: JSON values by name, `integration/field`. A fork has none of them.
        created_at, updated_at: by the store's clock, UTC.
        expires_at: when it vanishes, None where it stays.
        revision: grows by one with every write; pass it as `expect`.
        forked_from: (thread id, item id or None) of a fork.
        unreadable: in a list, why the header cannot be read; then title and metadata are empty. `threads.get` raises it.
        pending: the store is away, and the new thread waits in a journal (`on_outage=journal`): its revision is 0, and its times
            are when it was accepted, by this machine's clock.
    """

    owner: str
    id: str
    title: str | None
    metadata: Mapping[str, JSON]
    created_at: datetime
    updated_at: datetime
    revision: int
    expires_at: datetime | None = None
    forked_from: tuple[str, str | None] | None = None
    unreadable: str | None = None
    notes: Mapping[str, JSON] = field(default_factory=dict)
    pending: bool = False


class NewItem(msgspec.Struct, frozen=True, gc=False):
    """An item to append.

    Attributes:
        data: the framework's own serialized form; at most `limits.MAX_DATA_BYTES` bytes.
        id: given, or made (128 bits). Appending an id that the thread holds keeps the first one.
        kind: what it is: `message`, `tool_call`, `tool_result`, `reasoning`, `event`, or a framework's own word.
        codec: how `data` is written, `name/version`, as `openai.responses/1`; `json` for plain JSON.
        author: who made it, as `user`, `assistant`, or an agent's name.
        parent: the id of the item it answers or continues, where that is not simply the one before.
        status: a state that changes later by compare-and-set, as `pending`.
        links: ids of the tool calls it makes or answers; a trim never separates two items that share one.
        created_ms: when its writer made it, milliseconds since 1970; now, where none is given.
    """

    data: bytes
    id: str | None = None
    kind: str = "message"
    codec: str = "json"
    author: str | None = None
    parent: str | None = None
    status: str | None = None
    links: Sequence[str] = ()
    created_ms: int | None = None

    @classmethod
    def json(cls, value: JSON, **attributes: Any) -> NewItem:
        """Return an item whose data is `value` as JSON; the attributes are NewItem's own, passed through.

        Raises:
            InvalidError: `value` is not JSON: a NaN, a key that is no string, an object of another kind.
        """
        check_json(value, "an item's data")
        return cls(msgspec.json.encode(value), **attributes)


class Appended(msgspec.Struct, frozen=True, gc=False):
    """What an append did: an id and a position for each item, in the order given.

    Attributes:
        ids: the ids, given or made.
        positions: where each one stands.
        duplicates: the ids that were there already; the first one was kept.
        revision: the thread's revision after it.
        replayed: the `once` token was known: this is what the first call did.
        committed_ms: when it was, by the store's clock, milliseconds since 1970; 0 where nothing was written.
        pending: the store is away, and the items wait in a journal (`on_outage=journal`). There are no positions yet, the
            revision is 0, and `committed_ms` is when they were accepted, by this machine's clock.
    """

    ids: tuple[str, ...]
    positions: tuple[int, ...]
    duplicates: frozenset[str]
    revision: int
    replayed: bool = False
    committed_ms: int = 0
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a longer list, in the order asked.

    Attributes:
        data: the things.
        has_more: whether more follow in this order.
        cursor: pass it to get the next part; None where there is none.
    """

    data: Sequence[T]
    has_more: bool
    cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a conversation is routed: its session, and whether this call made the route."""

    session_id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON document under a literal key, and how long it stays.

    Attributes:
        key: the key, as other programs see it.
        value: the document.
        ttl_ms: milliseconds it has left, None where it does not expire.
    """

    key: str
    value: JSON = field(hash=False)
    ttl_ms: int | None = None
