"""Sessions over HTTP, in the volumes of users, teams and the system: threads and items, as a chat application says them.

The start of a session's id tells its volume, so that what is asked of a session is one look at the store.
"""

from __future__ import annotations

import re
from functools import lru_cache, wraps
from hashlib import blake2b
from typing import Final

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from .. import Ref
from ..errors import InvalidError, NotFoundError
from ..ids import new_id
from . import items_api, threads_api
from .endpoints import room_of
from .identity import Identity, identity_of
from .operations import PENDING, Endpoint, Operation, Parameter, query_of, read_json, send
from .preconditions import once_of, use_of
from .session_wire import (
    CreateSessionBody,
    MessagePage,
    Messages,
    MessageView,
    SessionPage,
    SessionView,
    UpdateSessionBody,
    message_view,
    read_initial,
    read_messages,
    session_view,
)
from .threads_api import CURSOR, HELD, IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, ORDER, check_in_path, limit_parameter, store_of
from .volumes import Volume, team_volume, volume_of
from .wire import AppendedView, read_body, thread_etag

BASE: Final = "/api/sessions"
ONE: Final = BASE + "/{session}"
MESSAGES: Final = ONE + "/messages"
MESSAGE: Final = MESSAGES + "/{message}"

_SHARED: Final = re.compile(r"(?:tms_([0-9a-f]{16})|sys)_[0-9a-f]{32}")


def _of_sessions(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint, which speaks of sessions and messages where the store says that there is no such thread or item."""

    @wraps(endpoint)
    async def ask(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotFoundError as error:
            session, message = request.path_params.get("session"), request.path_params.get("message")
            said = str(error)
            if said.endswith("for this owner") or said == "there is no such thread":
                raise NotFoundError(f"there is no session {session!r} for this caller") from error
            if message is not None and said.startswith(("the thread ", "there is no item ", "there is no such item ")):
                raise NotFoundError(f"the session {session!r} has no message {message!r}") from error
            raise

    return ask


async def create(request: Request) -> Response:
    """Make a session, with its first message if there is one, in one commit."""
    body = read_body(await read_json(request), CreateSessionBody)
    identity = identity_of(request)
    volume = volume_of(identity, body.volume, body.team).check_write()
    items = read_initial(body.initial_message)
    for each in items:
        check_in_path(each.id, "a message's id")
    once = _once(request, identity, volume, "create")
    # Made from the key, so that the request that is sent again means the same session.
    id = _prefix(volume) + (new_id() if once is None else threads_api.digest_of(volume.owner, once))
    made, headers = await threads_api.make(
        room_of(request),
        Ref(volume.owner, id),
        items,
        once=await use_of(request, once),
        title=body.name,
        metadata=body.metadata,
        ttl=body.ttl,
    )
    return send(session_view(made, volume), 202 if made.pending else 201, location=f"{BASE}/{id}", **headers)


async def list_(request: Request) -> Response:
    """List the sessions of a volume."""
    query = query_of(request, "volume", "team", "limit", "cursor", "order")
    volume = volume_of(identity_of(request), query.get("volume", "user"), query.get("team"))
    page = await threads_api.page_of(store_of(request), volume.owner, query)
    views = [session_view(each, volume) for each in page]
    return send(SessionPage(views, page.has_more, page.cursor if page.has_more else None))


@_of_sessions
async def get(request: Request) -> Response:
    """Read a session."""
    volume, ref = _session_of(request)
    return await threads_api.show(request, ref, lambda found: session_view(found, volume))


@_of_sessions
async def update(request: Request) -> Response:
    """Rename a session, change some fields of its metadata, or both."""
    body = read_body(await read_json(request), UpdateSessionBody)
    if body.name is UNSET and body.metadata is UNSET:
        raise InvalidError("there is nothing to change: give a name or metadata")
    volume, ref = _session_of(request, to_write=True)
    found = await threads_api.change(request, ref, body.name, body.metadata)
    return send(session_view(found, volume), etag=thread_etag(found.revision))


@_of_sessions
async def replace(request: Request) -> Response:
    """As PATCH."""
    return await update(request)


@_of_sessions
async def delete(request: Request) -> Response:
    """Delete a session and its messages."""
    _, ref = _session_of(request, to_write=True)
    return await threads_api.drop(request, ref)


@_of_sessions
async def append(request: Request) -> Response:
    """Append one message, or several in one commit."""
    items = read_messages(await read_json(request))
    for each in items:
        if each.id is not None:
            check_in_path(each.id, "a message's id")
    volume, ref = _session_of(request, to_write=True)
    return await items_api.add(request, ref, items, _once(request, identity_of(request), volume, "append"))


@_of_sessions
async def page(request: Request) -> Response:
    """Return the messages between two others, the oldest or the newest first."""
    _, ref = _session_of(request)
    found = await items_api.page_of(request, ref)
    views = [message_view(each) for each in found]
    return send({"data": views, "has_more": found.has_more, "cursor": found.cursor if found.has_more else None})


@_of_sessions
async def get_message(request: Request) -> Response:
    """Return one message."""
    _, ref = _session_of(request)
    return await items_api.show(request, ref, request.path_params["message"], message_view)


@_of_sessions
async def remove(request: Request) -> Response:
    """Remove a message."""
    _, ref = _session_of(request, to_write=True)
    return await items_api.drop(request, ref, request.path_params["message"])


# -- whose session it is ------------------------------------------------------------------------------------------------


def _session_of(request: Request, *, to_write: bool = False) -> tuple[Volume, Ref]:
    """Return where the session of the address is, if it is; ForbiddenError where this caller may only read it."""
    id: str = request.path_params["session"]
    volume = _volume_of(identity_of(request), id)
    return volume.check_write() if to_write else volume, Ref(volume.owner, id)


def _volume_of(identity: Identity, id: str) -> Volume:
    found = _SHARED.fullmatch(id)
    if found is None:
        return volume_of(identity)
    if found[1] is None:
        return volume_of(identity, "system")
    team = next((team for team in identity.teams if _digest(team) == found[1]), None)
    # That of a team the caller is not in is looked for where it cannot be, and is missing there as any other.
    return volume_of(identity) if team is None else team_volume(identity, team)


def _prefix(volume: Volume) -> str:
    match volume.kind:
        case "user":
            return "ses_"
        case "team":
            return f"tms_{_digest(volume.holder)}_"
        case "system":
            return "sys_"


@lru_cache(maxsize=10_000)
def _digest(team: str) -> str:
    return blake2b(team.encode(), digest_size=8).hexdigest()


def _once(request: Request, identity: Identity, volume: Volume, verb: str) -> str | None:
    # Two callers who write one volume do not know each other's keys, and may choose the same one.
    return once_of(request, verb if volume.kind == "user" else f"{verb}:{threads_api.digest_of(identity.user)}")


_TAG: Final = "sessions"
_VOLUME: Final = Parameter("volume", "Whose sessions.", {"type": "string", "enum": ["user", "team", "system"], "default": "user"})
_TEAM: Final = Parameter(
    "team", "Which team's; may be left out by who is in one.", {"type": "string", "minLength": 1, "maxLength": 256}
)
_CHANGED: Final = (*HELD, "forbidden", "precondition", "unreadable")

OPERATIONS: Final = (
    Operation("POST", MESSAGES, append, "Append messages", _TAG, body=Messages, answer=AppendedView, status=201,
              parameters=(IDEMPOTENCY_KEY, IF_MATCH), headers=("ETag", "Idempotency-Replayed"), also=(PENDING,),
              problems=(*HELD, "forbidden", "precondition")),
    Operation("GET", MESSAGES, page, "Read a page of messages", _TAG, answer=MessagePage, parameters=items_api.PAGING,
              problems=(*HELD, "unknown-cursor")),
    Operation("GET", BASE, list_, "List the sessions of a volume", _TAG, answer=SessionPage,
              parameters=(_VOLUME, _TEAM, limit_parameter(), CURSOR, ORDER), problems=("missing", "unknown-cursor")),
    Operation("POST", BASE, create, "Make a session", _TAG, body=CreateSessionBody, answer=SessionView, status=201,
              parameters=(IDEMPOTENCY_KEY,), headers=("ETag", "Location", "Idempotency-Replayed"), also=(PENDING,),
              problems=("missing", "gone", "forbidden", "conflict")),
    Operation("GET", ONE, get, "Read a session", _TAG, answer=SessionView, parameters=(IF_NONE_MATCH,), headers=("ETag",),
              problems=(*HELD, "unreadable")),
    Operation("PATCH", ONE, update, "Rename a session, or change its metadata field by field", _TAG, body=UpdateSessionBody,
              answer=SessionView, parameters=(IF_MATCH,), headers=("ETag",), problems=_CHANGED),
    Operation("PUT", ONE, replace, "Rename a session, or change its metadata field by field", _TAG, body=UpdateSessionBody,
              answer=SessionView, parameters=(IF_MATCH,), headers=("ETag",), problems=_CHANGED),
    Operation("DELETE", ONE, delete, "Delete a session", _TAG, status=204, parameters=(IF_MATCH,),
              problems=(*HELD, "forbidden", "conflict", "precondition")),
    Operation("GET", MESSAGE, get_message, "Read a message", _TAG, answer=MessageView, parameters=(IF_NONE_MATCH,),
              headers=("ETag",), problems=HELD),
    Operation("DELETE", MESSAGE, remove, "Remove a message", _TAG, status=204, parameters=(IF_MATCH,),
              problems=(*HELD, "forbidden", "precondition")),
)  # fmt: skip
