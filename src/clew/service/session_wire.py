"""What goes over HTTP for sessions: a thread as a session, an item as a message. A message keeps its bytes, and its extra fields.

What another API wrote is shown as a message as well as it can be, and hides no other where it cannot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ..errors import InvalidError
from ..limits import MAX_CHANGES, check_json
from ..model import Item, NewItem, Thread
from ..texts import item_text
from .volumes import Kind, Volume
from .wire import Id, Metadata, Seconds, Title, read_body

MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

Moment = Annotated[
    datetime | int | None,
    Meta(
        description="When it was said: RFC 3339, or milliseconds since 1970.",
        extra_json_schema={"format": "date-time", "minimum": 0, "maximum": MAX_MS},
    ),
]
Content = Annotated[str | list[Any] | dict[str, Any], Meta(description="Text, or JSON parts.")]


class MessageBody(msgspec.Struct):
    """A message. Fields that are not named here are kept as they are."""

    role: Id
    content: Content
    timestamp: Moment = None
    id: Id | None = None


Messages = MessageBody | list[MessageBody]
"""One message, or several that are appended together."""
Initial = Annotated[
    Raw | UnsetType,
    Meta(
        description="A user's text, or a message.",
        extra_json_schema={"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/MessageBody"}, {"type": "null"}]},
    ),
]


class CreateSessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A session to make, in a volume, with its first message if there is one."""

    name: Title | None = None
    volume: Kind = "user"
    team: Id | None = None
    initial_message: Initial = UNSET
    metadata: Metadata = {}
    ttl: Seconds | None = None


class UpdateSessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """What of a session is to change: a field of the metadata that is null is deleted, what is left out stays."""

    name: Title | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class SessionView(msgspec.Struct):
    """A session. Its revision is its ETag."""

    id: str
    name: str | None
    volume: Kind
    team: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime
    revision: int
    expires_at: datetime | None = None
    forked_from: str | None = None
    unreadable: str | UnsetType = UNSET
    pending: bool | UnsetType = UNSET


class MessageView(msgspec.Struct):
    """A message, with the extra fields it was sent with, but for those of the names that follow: `kind` and `codec` are of what
    another API wrote, whose content is its text, and `unreadable` says why an item cannot be read."""

    id: str
    role: str
    content: Content
    timestamp: Moment
    kind: str | UnsetType = UNSET
    codec: str | UnsetType = UNSET
    unreadable: str | UnsetType = UNSET


class SessionPage(msgspec.Struct):
    """Sessions; pass `cursor` to get the next ones."""

    data: list[SessionView]
    has_more: bool
    cursor: str | None


class MessagePage(msgspec.Struct):
    """Messages; pass `cursor` as `after`, or as `before` where the newest come first, to get the next ones."""

    data: list[MessageView]
    has_more: bool
    cursor: str | None


_decode: Final = msgspec.json.Decoder().decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_TEXT: Final = b'"'
_CONTENT: Final = (_TEXT, b"[", b"{")
_MOMENT: Final = (_TEXT, *(b"%d" % digit for digit in range(10)))


def read_messages(body: bytes) -> list[NewItem]:
    """Return the items that a body of one message or several makes; InvalidError where it is none."""
    if not body.lstrip().startswith(b"["):
        return [read_message(body)]
    given = read_body(body, list[Raw])
    if not 1 <= len(given) <= MAX_CHANGES:
        raise InvalidError(f"there are {len(given):,} messages: from 1 to {MAX_CHANGES:,} are taken at once")
    return [read_message(bytes(each), f"number {number} of the list") for number, each in enumerate(given, 1)]


def read_initial(given: Raw | UnsetType) -> list[NewItem]:
    """Return the items that a new session starts with: none, or one."""
    data = b"null" if isinstance(given, UnsetType) else bytes(given)
    if data == b"null":
        return []
    if data.startswith(_TEXT):
        text = read_body(data, str)
        data = msgspec.json.encode({"role": "user", "content": text})
    return [read_message(data)]


def read_message(data: bytes, what: str = "this") -> NewItem:
    """Return the item that keeps a message, byte for byte; InvalidError, which calls it `what`, where it is none."""
    if not data:
        raise InvalidError("the body is empty: send a message, or a list of them, as JSON")
    try:
        value = _decode(data)
        message = msgspec.convert(value, MessageBody)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{what} is no message: {error}") from error
    except RecursionError as error:
        raise InvalidError("the message is nested too deeply") from error
    for each in value.values():
        # A text was held to what JSON can say when it was decoded.
        if type(each) is not str:
            check_json(each, "a message")
    return NewItem(data, id=message.id, author=message.role, created_ms=_ms_of(message.timestamp))


def _ms_of(moment: datetime | int | None) -> int | None:
    if moment is None:
        return None
    if isinstance(moment, datetime):
        # A time without an offset is taken to be UTC, as the answers write it.
        moment = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if not 0 <= moment <= MAX_MS:
        raise InvalidError("a message's timestamp must be from 1970 to 9999, in RFC 3339 or in milliseconds since 1970")
    return moment


def session_view(thread: Thread, volume: Volume) -> SessionView:
    """Return a thread as the session that it is in a volume."""
    view = SessionView(
        thread.id,
        thread.title,
        volume.kind,
        volume.team,
        dict(thread.metadata),
        thread.created_at,
        thread.updated_at,
        thread.revision,
        thread.expires_at,
        None if thread.forked_from is None else thread.forked_from[0],
    )
    if thread.unreadable is not None:
        view.unreadable = thread.unreadable
    if thread.pending:
        view.pending = True
    return view


def message_view(item: Item) -> dict[str, Any]:
    """Return an item as a message; see MessageView."""
    if item.codec == "json" and item.unreadable is None:
        try:
            _decode(item.data)
            fields = _decode_fields(item.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if _is_message(fields):
                return _own_view(item, fields)
    return _foreign_view(item)


_OURS: Final = frozenset({"kind", "codec", "unreadable"})
"""What clew alone says of an item that is no message: a message's own fields of these names are kept, and not shown."""


def _is_message(fields: dict[str, Raw]) -> bool:
    role, content = fields.get("role"), fields.get("content")
    return role is not None and content is not None and bytes(role).startswith(_TEXT) and bytes(content).startswith(_CONTENT)


def _own_view(item: Item, fields: dict[str, Raw]) -> dict[str, Any]:
    view: dict[str, Any] = {"id": item.id, "role": fields["role"], "content": fields["content"]}
    moment = fields.get("timestamp")
    view["timestamp"] = moment if moment is not None and bytes(moment).startswith(_MOMENT) else item.created_at
    return view | {name: value for name, value in fields.items() if name not in view and name not in _OURS}


def _foreign_view(item: Item) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": item.id,
        "role": _role_of(item),
        # A text of somebody else's may hold what is no Unicode.
        "content": item_text(item).encode(errors="replace").decode(),
        "timestamp": item.created_at,
        "kind": item.kind,
        "codec": item.codec,
    }
    if item.unreadable is not None:
        view["unreadable"] = item.unreadable
    return view


_OF_CHATKIT: Final = {"user_message": "user", "assistant_message": "assistant"}


def _role_of(item: Item) -> str:
    try:
        value = _decode(item.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    role = None
    if isinstance(value, dict):
        # A channel's message in ChatKit's shape has who wrote it as its author.
        role = value.get("role") or _OF_CHATKIT.get(str(value.get("type")))
    return role if isinstance(role, str) and role else item.author or item.kind
