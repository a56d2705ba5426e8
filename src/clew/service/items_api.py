"""The items of a thread over HTTP: appended once each, read in pages, replaced in place, removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import UnsetType
from starlette.requests import Request
from starlette.responses import Response

from .. import Item, NewItem, Page, Ref
from ..errors import ConflictError, NotFoundError, UnavailableError
from ..store.checks import UNSET
from .endpoints import room_of
from .operations import PENDING, Operation, Parameter, choice_of, number_of, query_of, read_json, send
from .preconditions import is_fresh, once_of, revision_of, tag_of, use_of
from .refusals import PreconditionError
from .settling import append_again
from .threads_api import (
    HELD,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    ONE,
    check_in_path,
    limit_parameter,
    ref_of,
    store_of,
)
from .wire import (
    AppendedView,
    ItemPage,
    ItemsBody,
    ItemView,
    ReplaceBody,
    check_codec,
    data_of,
    item_etag,
    item_view,
    new_items,
    read_body,
    thread_etag,
)

ITEMS: Final = ONE + "/items"
ITEM: Final = ITEMS + "/{item}"


async def append(request: Request) -> Response:
    """Append items in one commit."""
    body = read_body(await read_json(request), ItemsBody)
    for each in body.items:
        check_in_path(each.id, "an item's id")
    return await add(request, ref_of(request), new_items(body.items), once_of(request, "append"))


async def add(request: Request, ref: Ref, items: Sequence[NewItem], once: str | None, **headers: str) -> Response:
    """Append items to a thread that is there, if `If-Match` holds, and answer what that did."""
    expect, token = revision_of(request), await use_of(request, once)
    store = room_of(request).accepting_store if expect is None else store_of(request)
    try:
        done = await store.items.append(ref, items, once=token, expect=expect)
    except UnavailableError as error:
        if not error.lost or expect is not None:
            raise
        done = await append_again(room_of(request), ref, items, token, error)
    except ConflictError as error:
        if expect is None:
            raise
        raise PreconditionError("it has changed since this ETag") from error
    # An id that was made for this request is there through it alone, however often it was sent to the store.
    duplicates = sorted(done.duplicates & {item.id for item in items}) if done.duplicates else []
    view = AppendedView(list(done.ids), list(done.positions), duplicates, done.revision, done.replayed, done.pending)
    if done.pending:
        return send(view, 202, **headers)
    if done.replayed:
        headers["idempotency_replayed"] = "true"
    return send(view, 201, etag=thread_etag(done.revision), **headers)


async def page(request: Request) -> Response:
    """Return the items between two others, the oldest or the newest first."""
    found = await page_of(request, ref_of(request))
    return send(ItemPage([item_view(each) for each in found], found.has_more, found.cursor if found.has_more else None))


async def page_of(request: Request, ref: Ref) -> Page[Item]:
    """Return the page of a thread's items that the query asks for."""
    query = query_of(request, "limit", "after", "before", "order")
    return await store_of(request).items.page(
        ref,
        after=query.get("after"),
        before=query.get("before"),
        limit=number_of(query, "limit", 20),
        newest_first=choice_of(query, "order", "asc", "desc") == "desc",
    )


async def get(request: Request) -> Response:
    """Return one item."""
    return await show(request, ref_of(request), request.path_params["item"], item_view)


async def show(request: Request, ref: Ref, id: str, view: Callable[[Item], object]) -> Response:
    """Answer with an item, or that the caller has this version already."""
    query_of(request)
    found = await store_of(request).items.get(ref, id)
    etag = item_etag(found)
    if is_fresh(request, etag):
        return Response(status_code=304, headers={"etag": etag})
    return send(view(found), etag=etag)


async def replace(request: Request) -> Response:
    """Put new data in an item's place."""
    body = read_body(await read_json(request), ReplaceBody)
    data = data_of(body.data, body.data_base64)
    items, ref, id = store_of(request).items, ref_of(request), request.path_params["item"]
    seen = await _seen(request, ref, id)
    check_codec((seen or await items.get(ref, id)).codec)
    try:
        found = await items.replace(
            ref,
            id,
            data,
            expect=seen,
            kind=UNSET if isinstance(body.kind, UnsetType) else body.kind,
            codec=UNSET if isinstance(body.codec, UnsetType) else check_codec(body.codec),
            author=UNSET if isinstance(body.author, UnsetType) else body.author,
            parent=UNSET if isinstance(body.parent, UnsetType) else body.parent,
            status=UNSET if isinstance(body.status, UnsetType) else body.status,
            links=UNSET if isinstance(body.links, UnsetType) else body.links,
        )
    except ConflictError as error:
        if seen is None:
            raise
        raise PreconditionError("the item has changed since this ETag") from error
    return send(item_view(found), etag=item_etag(found))


async def remove(request: Request) -> Response:
    """Remove an item."""
    return await drop(request, ref_of(request), request.path_params["item"])


async def drop(request: Request, ref: Ref, id: str) -> Response:
    """Remove an item, if `If-Match` holds, and answer so."""
    items = store_of(request).items
    seen = await _seen(request, ref, id)
    try:
        was_there = await items.remove(ref, id, expect=seen)
    except ConflictError as error:
        raise PreconditionError("the item has changed since this ETag") from error
    if not was_there:
        raise NotFoundError("there is no such item in this thread")
    return Response(status_code=204)


async def _seen(request: Request, ref: Ref, id: str) -> Item | None:
    """Return the item that `If-Match` names, to be expected as it is; None where it names none."""
    tag = tag_of(request)
    if tag is None:
        return None
    seen = await store_of(request).items.get(ref, id)
    if item_etag(seen) != tag:
        raise PreconditionError("the item has changed since this ETag")
    return seen


_TAG: Final = "items"
_AFTER: Final = Parameter("after", "The id of the item before the page.", {"type": "string"})
_BEFORE: Final = Parameter("before", "The id of the item after the page.", {"type": "string"})
_ORDER: Final = Parameter(
    "order", "The oldest first, or the newest.", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}
)
PAGING: Final = (limit_parameter(), _AFTER, _BEFORE, _ORDER)

OPERATIONS: Final = (
    Operation("GET", ITEMS, page, "Read a page of items", _TAG, answer=ItemPage,
              parameters=PAGING, problems=(*HELD, "unknown-cursor")),
    Operation("POST", ITEMS, append, "Append items", _TAG, body=ItemsBody, answer=AppendedView, status=201,
              parameters=(IDEMPOTENCY_KEY, IF_MATCH), headers=("ETag", "Idempotency-Replayed"), also=(PENDING,),
              problems=(*HELD, "precondition")),
    Operation("GET", ITEM, get, "Read an item", _TAG, answer=ItemView, parameters=(IF_NONE_MATCH,), headers=("ETag",),
              problems=HELD),
    Operation("PUT", ITEM, replace, "Replace an item's data", _TAG, body=ReplaceBody, answer=ItemView, parameters=(IF_MATCH,),
              headers=("ETag",), problems=(*HELD, "conflict", "precondition", "unreadable")),
    Operation("DELETE", ITEM, remove, "Remove an item", _TAG, status=204, parameters=(IF_MATCH,),
              problems=(*HELD, "precondition")),
)  # fmt: skip
