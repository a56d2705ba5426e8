"""What goes over HTTP: the bodies of the native API, read strictly and written from clew's nouns. A payload keeps its bytes."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ..errors import InvalidError, UnreadableError
from ..limits import MAX_CHANGES, MAX_ID_BYTES, MAX_TITLE_BYTES, MAX_TTL_MS, check_json
from ..model import Item, NewItem, Thread
from ..runs import Run
from ..transcoding import is_translated, may_name_code, plain_value

T = TypeVar("T")

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
Title = Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_BYTES)]
Seconds = Annotated[float, Meta(ge=0.001, le=MAX_TTL_MS / 1000)]
Json = Annotated[Raw, Meta(description="Any JSON; kept byte for byte.")]
Base64 = Annotated[str, Meta(description="Bytes that are no JSON, as base64.")]
Metadata = Annotated[dict[str, Any], Meta(description="JSON values by field.")]


class ItemBody(msgspec.Struct, forbid_unknown_fields=True):
    """An item to append: `data` or `data_base64`, and what is known of it."""

    data: Json | UnsetType = UNSET
    data_base64: Base64 | None = None
    id: Id | None = None
    kind: Id = "message"
    codec: Id = "json"
    author: Id | None = None
    parent: Id | None = None
    status: Id | None = None
    links: Annotated[list[Id], Meta(max_length=1000)] = []
    created_ms: int | None = None


class ItemsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Items to append together, or not at all."""

    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=MAX_CHANGES)]


class ReplaceBody(msgspec.Struct, forbid_unknown_fields=True):
    """What an item is to be from now on; what is left out stays."""

    data: Json | UnsetType = UNSET
    data_base64: Base64 | None = None
    kind: Id | UnsetType = UNSET
    codec: Id | UnsetType = UNSET
    author: Id | UnsetType | None = UNSET
    parent: Id | UnsetType | None = UNSET
    status: Id | UnsetType | None = UNSET
    links: Annotated[list[Id], Meta(max_length=1000)] | UnsetType = UNSET


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """A thread to make, with its first items if there are any."""

    id: Id | None = None
    title: Title | None = None
    metadata: Metadata = {}
    ttl: Seconds | None = None
    sliding: bool = True
    items: Annotated[list[ItemBody], Meta(max_length=MAX_CHANGES - 1100)] = []


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What of a thread is to change: a field that is null is deleted, what is left out stays."""

    title: Title | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class ThreadView(msgspec.Struct, omit_defaults=True):
    """A thread. Its revision is its ETag."""

    id: str
    title: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime
    revision: int
    expires_at: datetime | None = None
    forked_from: str | None = None
    unreadable: str | None = None
    pending: bool = False


class ItemView(msgspec.Struct):
    """An item, with `data` where that is JSON, and `data_base64` where it is not; with both where it can be shown as JSON."""

    id: str
    position: int
    kind: str
    codec: str
    author: str | None
    parent: str | None
    status: str | None
    links: list[str]
    created_at: datetime
    etag: str
    data: Json | UnsetType = UNSET
    data_base64: Base64 | UnsetType = UNSET
    unreadable: str | UnsetType = UNSET


class RunView(msgspec.Struct):
    """A run: an answer that is being made, or was."""

    id: str
    number: int
    state: str
    created_at: datetime
    ended_at: datetime | None
    stop_asked: bool


class AnswerView(msgspec.Struct):
    """The run of an answer, as the page has it."""

    id: str
    state: str
    created_at: datetime
    stop_asked: bool


class StandingView(msgspec.Struct):
    """How a thread stands: the answer that is being made, the newest item that is shown, and which answers are not whole.

    `marks` says of an item that ends such an answer that it was `stopped`, `interrupted` or `failed`.
    """

    run: AnswerView | None
    last: str | None
    marks: dict[str, str]


class StopView(msgspec.Struct):
    """The answer that was asked to stop."""

    run: AnswerView


class AppendedView(msgspec.Struct, omit_defaults=True):
    """What an append did, in the order given. Pending: there are no positions and no revision yet."""

    ids: list[str]
    positions: list[int]
    duplicates: list[str]
    revision: int
    replayed: bool
    pending: bool = False


class ThreadPage(msgspec.Struct):
    """Threads; pass `cursor` to get the next ones."""

    data: list[ThreadView]
    has_more: bool
    cursor: str | None


class ItemPage(msgspec.Struct):
    """Items; pass `cursor` as `after`, or as `before` where the newest come first, to get the next ones."""

    data: list[ItemView]
    has_more: bool
    cursor: str | None


class RunPage(msgspec.Struct):
    """Runs, the newest first; pass `cursor` to get the next ones."""

    data: list[RunView]
    has_more: bool
    cursor: str | None


class FileView(msgspec.Struct):
    """A file of a volume. Its `path` is as it stands in an address, its `name` the last part of that for people."""

    path: str
    name: str
    size: int
    etag: str
    type: str
    modified: datetime


class FilePage(msgspec.Struct):
    """Files; pass `cursor` to get the next ones."""

    data: list[FileView]
    has_more: bool
    cursor: str | None


class Problem(msgspec.Struct, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    actual: str | int | None = None
    thread: str | None = None


def read_body(body: bytes, shape: type[T]) -> T:
    """Return a request's body; InvalidError where it is not of this shape."""
    if not body:
        raise InvalidError("the body is empty: send JSON")
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"the body is not what is asked for here: {error}") from error
    except RecursionError as error:
        raise InvalidError("the body is nested too deeply") from error


def data_of(data: Raw | UnsetType, as_base64: str | None) -> bytes:
    """Return the payload that a body gives in one of two ways; InvalidError where it gives none, both, or no valid one."""
    if isinstance(data, UnsetType) == (as_base64 is None):
        raise InvalidError("give an item's data in one way: data for JSON, or data_base64 for bytes")
    if as_base64 is not None:
        try:
            return base64.b64decode(as_base64, validate=True)
        except (NotBase64, ValueError) as error:
            raise InvalidError("data_base64 is no base64") from error
    given = b"" if isinstance(data, UnsetType) else bytes(data)
    check_json(read_body(given, object), "an item's data")
    return given


def new_items(bodies: Sequence[ItemBody]) -> list[NewItem]:
    """Return what to append."""
    return [
        NewItem(
            data_of(each.data, each.data_base64),
            id=each.id,
            kind=each.kind,
            codec=check_codec(each.codec),
            author=each.author,
            parent=each.parent,
            status=each.status,
            links=each.links,
            created_ms=each.created_ms,
        )
        for each in bodies
    ]


def check_codec(codec: str) -> str:
    """Return the codec of an item that comes over HTTP, or raise InvalidError where only its framework may write such items."""
    if may_name_code(codec):
        raise InvalidError(
            f"an item of codec {codec!r} is written by its framework alone, since it may name code: append one of another codec"
        )
    return codec


def thread_view(thread: Thread) -> ThreadView:
    """Return a thread as it is shown."""
    return ThreadView(
        thread.id,
        thread.title,
        dict(thread.metadata),
        thread.created_at,
        thread.updated_at,
        thread.revision,
        thread.expires_at,
        None if thread.forked_from is None else thread.forked_from[0],
        thread.unreadable,
        thread.pending,
    )


def item_view(item: Item) -> ItemView:
    """Return an item as it is shown: its payload byte for byte where it is JSON, else as base64, and translated if it can be."""
    view = ItemView(
        item.id,
        item.position,
        item.kind,
        item.codec,
        item.author,
        item.parent,
        item.status,
        list(item.links),
        item.created_at,
        item_etag(item),
    )
    if item.unreadable is not None:
        view.unreadable = item.unreadable
    try:
        if is_translated(item):
            view.data = Raw(msgspec.json.encode(plain_value(item)))
        elif item.unreadable is None:
            msgspec.json.decode(item.data)
            view.data = Raw(item.data)
            return view
    except (UnreadableError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    view.data_base64 = base64.b64encode(item.data).decode()
    return view


def run_view(run: Run) -> RunView:
    """Return a run as it is shown."""
    return RunView(run.id, run.number, run.state, run.created_at, run.ended_at, run.cancel_ms is not None)


def thread_etag(revision: int) -> str:
    """Return the ETag of a thread at a revision."""
    return f'"{revision}"'


def item_etag(item: Item) -> str:
    """Return the ETag of an item: another one for any other content."""
    text = msgspec.json.encode((item.kind, item.codec, item.author, item.parent, item.status, item.links))
    return f'"{blake2b(item.data + b"|" + text, digest_size=16).hexdigest()}"'
