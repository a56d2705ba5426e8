"""What goes over HTTP for channels, and a request as the rest of this package takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ...limits import MAX_ID_BYTES

MOST_MESSAGE: Final = 100_000
Text = Annotated[str, Meta(min_length=1, max_length=MOST_MESSAGE)]
Channel = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="As telegram: letters, digits, _, . and -.")]
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
Person = Annotated[
    str, Meta(min_length=1, max_length=MAX_ID_BYTES, description="Who wrote it, as the channel says: noted, and no identity.")
]


class ChatBody(msgspec.Struct, forbid_unknown_fields=True):
    """A message of a channel's conversation; a new conversation without an id of one."""

    message: Text
    user_id: Person
    channel: Channel
    conversation_id: Id | None = None
    stream: bool = False


class ConversationBody(msgspec.Struct, forbid_unknown_fields=True):
    """A conversation of a channel."""

    channel: Channel
    conversation_id: Id
    user_id: Person | None = None


class ChatRun(msgspec.Struct):
    """The run that made the answer; its state is `unknown` where the store cannot be asked."""

    id: str
    state: str


class ChatView(msgspec.Struct):
    """An answer. `persisted` says whether it is in the session; `error` why it is not whole."""

    reply: str
    conversation_id: str
    session_id: str | None
    created: bool
    persisted: bool
    run: ChatRun | None
    error: str | None = None


class ClearView(msgspec.Struct):
    """Whether the conversation led to a session. The session stays."""

    conversation_id: str
    cleared: bool


class CompactView(msgspec.Struct):
    """The session that the conversation left, which stays readable, and the one that starts with the summary.

    The count of messages is null where there were more than are read.
    """

    conversation_id: str
    compacted: bool
    previous_session_id: str | None = None
    new_session_id: str | None = None
    original_message_count: int | None = 0
    summarized_message_count: int = 0
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of a channel.

    Attributes:
        owner: whose session it is: the caller's.
        base: of the URLs that are given to them.
        route: the conversation's name among all callers'.
        name: its name among this caller's: channel and id.
        conversation_id: as the caller said it.
        channel: where it came from.
        user_id: who wrote it, as the channel says.
        message: what they wrote.
        once: the caller's word for this request, None without one.
    """

    owner: str
    base: str
    route: str
    name: str
    conversation_id: str
    channel: str
    user_id: str = ""
    message: str = ""
    once: str | None = None
