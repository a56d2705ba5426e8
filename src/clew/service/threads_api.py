"""Threads over HTTP: made, listed, read, changed field by field, deleted. Whose they are is who asks."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from .. import Ref, Store
from ..errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from ..ids import new_thread_id
from ..limits import MAX_PAGE
from ..store.checks import UNSET as KEEP
from .endpoints import room_of
from .identity import identity_of
from .operations import Operation, Parameter, choice_of, number_of, query_of, read_json, send
from .preconditions import is_fresh, once_of, refuse_if_match, revision_of
from .problems import PreconditionError
from .wire import CreateBody, ThreadPage, ThreadView, UpdateBody, new_items, read_body, thread_etag, thread_view

BASE: Final = "/api/v1/threads"
ONE: Final = BASE + "/{thread}"


def store_of(request: Request) -> Store:
    """Return the store; UnavailableError while it is away since the worker started."""
    return room_of(request).store


def ref_of(request: Request) -> Ref:
    """Return the thread that the address names, which is the caller's or nobody's."""
    return Ref(identity_of(request).owner, request.path_params["thread"])


def check_in_path(id: str | None, what: str) -> str | None:
    """Return an id that can stand in an address; InvalidError for another one."""
    if id is not None and ("/" in id or id in (".", "..")):
        raise InvalidError(f"{what} cannot stand in an address: leave out the slash")
    return id


async def create(request: Request) -> Response:
    """Make a thread, with its first items if there are any, in one commit."""
    body = read_body(await read_json(request), CreateBody)
    owner, once = identity_of(request).owner, once_of(request, "create")
    id = check_in_path(body.id, "the thread's id")
    if id is None:
        # Made from the key, so that the request that is sent again means the same thread.
        id = new_thread_id() if once is None else f"thr_{blake2b(repr((owner, once)).encode(), digest_size=16).hexdigest()}"
    for each in body.items:
        check_in_path(each.id, "an item's id")
    ref, store = Ref(owner, id), store_of(request)
    try:
        done = await store.items.append(
            ref, new_items(body.items), once=once, expect=0, create=True, title=body.title, metadata=body.metadata
        )
    except ConflictError as error:
        raise AlreadyExistsError("there is a thread with this id already", actual=error.actual) from error
    if body.ttl is not None:
        await store.threads.expire(ref, body.ttl, sliding=body.sliding)
    made = await store.threads.get(ref)
    headers = {"etag": thread_etag(made.revision), "location": f"{BASE}/{id}"} | _replayed(done.replayed)
    return send(thread_view(made), 201, **headers)


async def list_(request: Request) -> Response:
    """List the caller's threads."""
    query = query_of(request, "limit", "cursor", "order")
    limit, cursor = number_of(query, "limit", 20), query.get("cursor")
    threads, owner = store_of(request).threads, identity_of(request).owner
    if choice_of(query, "order", "updated", "created") == "created":
        page = await threads.made(owner, limit=limit, after=cursor)
    else:
        page = await threads.list(owner, limit=limit, cursor=cursor)
    return send(ThreadPage([thread_view(each) for each in page], page.has_more, page.cursor if page.has_more else None))


async def get(request: Request) -> Response:
    """Read a thread."""
    query_of(request)
    found = await store_of(request).threads.get(ref_of(request))
    etag = thread_etag(found.revision)
    if is_fresh(request, etag):
        return Response(status_code=304, headers={"etag": etag})
    return send(thread_view(found), etag=etag)


async def update(request: Request) -> Response:
    """Change the title, some fields of the metadata, or both."""
    body = read_body(await read_json(request), UpdateBody)
    expect = revision_of(request)
    try:
        found = await store_of(request).threads.update(
            ref_of(request),
            title=KEEP if isinstance(body.title, UnsetType) else body.title,
            metadata=None if body.metadata is UNSET else body.metadata,
            expect=expect,
        )
    except ConflictError as error:
        raise PreconditionError("the thread has changed since this ETag") from error
    return send(thread_view(found), etag=thread_etag(found.revision))


async def delete(request: Request) -> Response:
    """Delete a thread and all that is in it."""
    refuse_if_match(request)
    threads, ref = store_of(request).threads, ref_of(request)
    if not await threads.delete(ref):
        # It says which it is: never there, or gone.
        await threads.get(ref)
        raise NotFoundError("there is no such thread")
    return Response(status_code=204)


def _replayed(replayed: bool) -> dict[str, str]:
    return {"idempotency_replayed": "true"} if replayed else {}


def limit_parameter(default: int = 20) -> Parameter:
    """Return the parameter that says how long a page is."""
    return Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default})


CURSOR: Final = Parameter("cursor", "The cursor of the page before.", {"type": "string"})
IF_MATCH: Final = Parameter("If-Match", "The ETag it must have.", {"type": "string"}, "header")
IF_NONE_MATCH: Final = Parameter("If-None-Match", "The ETag of what the caller has.", {"type": "string"}, "header")
_KEY: Final[dict[str, Any]] = {"type": "string", "pattern": "^[!-~]{1,255}$"}
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key", "A word of its own for each request: sent again with it, nothing is done twice.", _KEY, "header"
)
_ORDER: Final = Parameter(
    "order", "By the newest write, or the newest made.", {"type": "string", "enum": ["updated", "created"], "default": "updated"}
)
_TAG: Final = "threads"
HELD: Final = ("missing", "gone")

OPERATIONS: Final = (
    Operation("GET", BASE, list_, "List threads", _TAG, answer=ThreadPage, parameters=(limit_parameter(), CURSOR, _ORDER),
              problems=("unknown-cursor",)),
    Operation("POST", BASE, create, "Make a thread", _TAG, body=CreateBody, answer=ThreadView, status=201,
              parameters=(IDEMPOTENCY_KEY,), headers=("ETag", "Location", "Idempotency-Replayed"), problems=("conflict", "gone")),
    Operation("GET", ONE, get, "Read a thread", _TAG, answer=ThreadView, parameters=(IF_NONE_MATCH,), headers=("ETag",),
              problems=(*HELD, "unreadable")),
    Operation("PATCH", ONE, update, "Change a thread field by field", _TAG, body=UpdateBody, answer=ThreadView,
              parameters=(IF_MATCH,), headers=("ETag",), problems=(*HELD, "precondition", "unreadable")),
    Operation("DELETE", ONE, delete, "Delete a thread", _TAG, status=204, problems=HELD),
)  # fmt: skip
