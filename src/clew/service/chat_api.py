"""Channels over HTTP: a message in, the agent's answer out; a conversation cleared, or compacted to a summary."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ..ids import new_id
from ..limits import check_id
from .channels import Ask
from .channels.sessions import name_of, route_of
from .channels.views import ChatBody, ChatView, ClearView, CompactView, ConversationBody
from .endpoints import room_of
from .identity import identity_of
from .operations import Operation, query_of, read_json, send
from .preconditions import once_of
from .tail import Tail
from .threads_api import IDEMPOTENCY_KEY
from .wire import read_body

BASE: Final = "/api/v1/chat"
STREAM: Final = "text/event-stream"


async def chat(request: Request) -> Response:
    """Answer a message of a channel's conversation, in its session. With `stream`, or where events are accepted, as events."""
    query_of(request)
    body = read_body(await read_json(request), ChatBody)
    id = body.conversation_id or f"{body.channel}:{new_id()}"
    ask = _ask(request, body.channel, id, body.user_id, body.message, once_of(request, "chat"))
    talk = await room_of(request).chat.begin(ask)
    headers = {"idempotency-replayed": "true"} if talk.is_replay else {}
    if body.stream or _accepts_events(request):
        return Tail(talk.events(), headers)
    return send(await talk.end(), 200, **headers)


async def clear(request: Request) -> Response:
    """Let a conversation start afresh at its next message. Its session stays."""
    return send(await room_of(request).chat.clear(await _conversation(request)))


async def compact(request: Request) -> Response:
    """Move a conversation to a new session, which begins with a summary that the model writes. The old session stays."""
    return send(await room_of(request).chat.compact(await _conversation(request)))


async def _conversation(request: Request) -> Ask:
    query_of(request)
    body = read_body(await read_json(request), ConversationBody)
    return _ask(request, body.channel, body.conversation_id)


def _ask(
    request: Request, channel: str, conversation_id: str, user_id: str = "", message: str = "", once: str | None = None
) -> Ask:
    check_id(conversation_id, "conversation_id")
    if user_id:
        check_id(user_id, "user_id")
    identity, name = identity_of(request), name_of(channel, conversation_id)
    base = f"{request.url.scheme}://{request.url.netloc}"
    route = route_of(identity, name)
    return Ask(identity.owner, base, route, name, conversation_id, channel, user_id, message, once)


def _accepts_events(request: Request) -> bool:
    kinds = [each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(",")]
    return STREAM in kinds and "application/json" not in kinds


_TAG: Final = "channels"

OPERATIONS: Final = (
    Operation("POST", BASE, chat, "Answer a message of a channel", _TAG, body=ChatBody, answer=ChatView, streams=True,
              parameters=(IDEMPOTENCY_KEY,), headers=("Idempotency-Replayed",),
              problems=("answering", "conflict", "gone", "missing", "unreadable")),
    Operation("POST", BASE + "/clear", clear, "Clear a conversation", _TAG, body=ConversationBody, answer=ClearView),
    Operation("POST", BASE + "/compact", compact, "Compact a conversation", _TAG, body=ConversationBody, answer=CompactView,
              problems=("answering", "conflict", "no-model", "missing", "gone", "unreadable")),
)  # fmt: skip
