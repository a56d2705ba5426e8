"""Threads over HTTP: made, listed, read, changed field by field, deleted. Whose they are is who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from msgspec import UnsetType
from starlette.requests import Request
from starlette.responses import Response

from .. import Appended, NewItem, Once, Page, Ref, Store, Thread
from ..adapters.chatkit.threads import HAS_ATTACHMENTS
from ..errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError, UnavailableError
from ..ids import new_id, new_thread_id
from ..limits import MAX_PAGE
from ..model import JSON
from ..store.checks import UNSET as KEEP
from ..store.checks import partition_of
from ..store.threads import make_header, thread_as_made
from .endpoints import room_of
from .identity import identity_of
from .operations import PENDING, Operation, Parameter, choice_of, in_header, number_of, query_of, read_json, send
from .preconditions import is_fresh, once_of, revision_of, use_of
from .refusals import PreconditionError
from .room import Room
from .settling import settle
from .wire import CreateBody, ThreadPage, ThreadView, UpdateBody, new_items, read_body, thread_etag, thread_view

BASE: Final = "/api/v1/threads"
ONE: Final = BASE + "/{thread}"
ATTEMPTS: Final = 5
"""How often a thread that gets new attachments is tried to be deleted."""


def store_of(request: Request) -> Store:
    """Return the store; UnavailableError while it is known to be away, so that nobody holds a place to wait for it."""
    return room_of(request).near_store


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
        id = new_thread_id() if once is None else f"thr_{digest_of(owner, once)}"
    for each in body.items:
        check_in_path(each.id, "an item's id")
    made, headers = await make(
        room_of(request),
        Ref(owner, id),
        new_items(body.items),
        once=await use_of(request, once),
        title=body.title,
        metadata=body.metadata,
        ttl=body.ttl,
        sliding=body.sliding,
    )
    return send(thread_view(made), 202 if made.pending else 201, location=f"{BASE}/{in_header(id)}", **headers)


async def list_(request: Request) -> Response:
    """List the caller's threads."""
    query = query_of(request, "limit", "cursor", "order")
    page = await page_of(store_of(request), identity_of(request).owner, query)
    return send(ThreadPage([thread_view(each) for each in page], page.has_more, page.cursor if page.has_more else None))


async def get(request: Request) -> Response:
    """Read a thread."""
    return await show(request, ref_of(request), thread_view)


async def update(request: Request) -> Response:
    """Change the title, some fields of the metadata, or both."""
    body = read_body(await read_json(request), UpdateBody)
    found = await change(request, ref_of(request), body.title, body.metadata)
    return send(thread_view(found), etag=thread_etag(found.revision))


async def delete(request: Request) -> Response:
    """Delete a thread and all that is in it."""
    return await drop(request, ref_of(request))


# -- what threads and sessions share ------------------------------------------------------------------------------------


def digest_of(*words: str) -> str:
    """Return the 32 hexadecimal digits that these words make."""
    return blake2b(repr(words).encode(), digest_size=16).hexdigest()


async def make(
    room: Room,
    ref: Ref,
    items: Sequence[NewItem],
    *,
    once: Once | None,
    title: str | None,
    metadata: Mapping[str, JSON],
    ttl: float | None,
    sliding: bool = True,
) -> tuple[Thread, dict[str, str]]:
    """Make a thread that is not there yet, and return it with the headers that tell of it; AlreadyExistsError where it is."""
    # A token in any case: so it can be repeated until it is known what became of it.
    token, is_made = once or f"http:make:{new_id()}", False

    async def work(store: Store) -> tuple[Appended, Thread]:
        nonlocal is_made
        done = await store.items.append(
            ref, items, once=token, expect=0, create=True, title=title, metadata=metadata, ttl=ttl, sliding=sliding
        )
        is_made = True
        if done.replayed:
            # It may have changed since.
            return done, await store.threads.get(ref)
        return done, thread_as_made(partition_of(ref), done, make_header(title, metadata), ttl)

    try:
        try:
            done, made = await work(room.accepting_store)
        except UnavailableError as error:
            if not (error.lost or is_made):
                raise
            done, made = await settle(room, work, error)
    except ConflictError as error:
        raise AlreadyExistsError("this id is taken already", actual=error.actual) from error
    is_again = once is not None and done.replayed
    if made.pending:
        return made, {}
    return made, {"etag": thread_etag(made.revision)} | ({"idempotency_replayed": "true"} if is_again else {})


async def page_of(store: Store, owner: str, query: dict[str, str]) -> Page[Thread]:
    """Return the page of an owner's threads that `limit`, `cursor` and `order` of a query ask for."""
    limit, cursor = number_of(query, "limit", 20), query.get("cursor")
    if choice_of(query, "order", "updated", "created") == "created":
        return await store.threads.made(owner, limit=limit, after=cursor)
    return await store.threads.list(owner, limit=limit, cursor=cursor)


async def show(request: Request, ref: Ref, view: Callable[[Thread], object]) -> Response:
    """Answer with a thread, or that the caller has this version already."""
    query_of(request)
    found = await store_of(request).threads.get(ref)
    etag = thread_etag(found.revision)
    if is_fresh(request, etag):
        return Response(status_code=304, headers={"etag": etag})
    return send(view(found), etag=etag)


async def change(request: Request, ref: Ref, title: str | UnsetType | None, metadata: dict[str, Any] | UnsetType) -> Thread:
    """Set what of a thread is not UNSET, if `If-Match` holds, and return it."""
    try:
        return await store_of(request).threads.update(
            ref,
            title=KEEP if isinstance(title, UnsetType) else title,
            metadata=None if isinstance(metadata, UnsetType) else metadata,
            expect=revision_of(request),
        )
    except ConflictError as error:
        raise PreconditionError("it has changed since this ETag") from error


async def drop(request: Request, ref: Ref) -> Response:
    """Delete a thread with the attachments of its messages, if `If-Match` holds, and answer so."""
    threads, expect, was_there = store_of(request).threads, revision_of(request), False
    for _ in range(ATTEMPTS):
        try:
            was_there = await threads.delete(ref, expect=expect, unless_note=HAS_ATTACHMENTS)
            break
        except ConflictError as error:
            if isinstance(error.actual, int):
                raise PreconditionError("it has changed since this ETag") from error
        # The bytes of its attachments go first, so that a deletion that breaks off is finished by the next one.
        seen = await threads.get(ref)
        if expect is not None and seen.revision != expect:
            raise PreconditionError("it has changed since this ETag")
        await room_of(request).kit.delete_attachments(ref.id, {"owner": ref.owner})
        expect = None if expect is None else expect + 1
    else:
        raise ConflictError("it gets attachments faster than they can be deleted: try again")
    if not was_there:
        # It says which it is: never there, or gone.
        await threads.get(ref)
        raise NotFoundError("there is no such thread")
    return Response(status_code=204)


def limit_parameter(default: int = 20) -> Parameter:
    """Return the parameter that says how long a page is."""
    return Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default})


CURSOR: Final = Parameter("cursor", "The cursor of the page before.", {"type": "string"})
_TAG_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*")$'}
IF_MATCH: Final = Parameter("If-Match", "The ETag it must have, or * for any.", _TAG_SCHEMA, "header")
IF_NONE_MATCH: Final = Parameter("If-None-Match", "The ETag of what the caller has.", {"type": "string"}, "header")
_KEY: Final[dict[str, Any]] = {"type": "string", "pattern": "^[!-~]{1,255}$"}
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key", "A word of its own for each request: sent again with it, nothing is done twice.", _KEY, "header"
)
ORDER: Final = Parameter(
    "order", "By the newest write, or the newest made.", {"type": "string", "enum": ["updated", "created"], "default": "updated"}
)
_TAG: Final = "threads"
HELD: Final = ("missing", "gone")

OPERATIONS: Final = (
    Operation("GET", BASE, list_, "List threads", _TAG, answer=ThreadPage, parameters=(limit_parameter(), CURSOR, ORDER),
              problems=("unknown-cursor",)),
    Operation("POST", BASE, create, "Make a thread", _TAG, body=CreateBody, answer=ThreadView, status=201,
              parameters=(IDEMPOTENCY_KEY,), headers=("ETag", "Location", "Idempotency-Replayed"), also=(PENDING,),
              problems=("conflict", "gone")),
    Operation("GET", ONE, get, "Read a thread", _TAG, answer=ThreadView, parameters=(IF_NONE_MATCH,), headers=("ETag",),
              problems=(*HELD, "unreadable")),
    Operation("PATCH", ONE, update, "Change a thread field by field", _TAG, body=UpdateBody, answer=ThreadView,
              parameters=(IF_MATCH,), headers=("ETag",), problems=(*HELD, "precondition", "unreadable")),
    Operation("DELETE", ONE, delete, "Delete a thread", _TAG, status=204, parameters=(IF_MATCH,),
              problems=(*HELD, "conflict", "precondition")),
)  # fmt: skip
