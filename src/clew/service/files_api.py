"""The files of volumes over HTTP: listed, read, written and deleted, each version with its ETag. Their bytes are streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from ..files import FileInfo, Files
from ..files.keys import check_key
from .endpoints import room_of
from .file_types import BYTES, headers_of, type_of
from .operations import Operation, Parameter, number_of, query_of, send
from .places import BASE, Place, place_of, read_prefix, write_path
from .preconditions import is_create_only, is_fresh, version_of
from .ranges import part_of
from .refusals import MediaTypeError, PreconditionError
from .tail import FileFlow
from .threads_api import CURSOR, IF_MATCH, IF_NONE_MATCH, limit_parameter
from .wire import FilePage, FileView

logger = logging.getLogger("clew.service")

_TRIES: Final = 3
"""How often a part is asked for anew where another version came between its size and its bytes."""


async def list_(request: Request) -> Response:
    """List the files of a volume, or those below a prefix, at any depth, in the order of their paths."""
    query = query_of(request, "prefix", "limit", "cursor")
    place = place_of(request)
    path, whole = read_prefix(query.get("prefix", "")), check_key(place.volume.key())
    cursor = query.get("cursor")
    page = await room_of(request).files.list(
        place.volume.key(*path),
        limit=number_of(query, "limit", 20),
        cursor=None if cursor is None else f"{whole}/{cursor}",
    )
    after = page.cursor.removeprefix(whole + "/") if page.has_more and page.cursor is not None else None
    return send(FilePage([_view(place, each) for each in page], page.has_more, after))


async def read(request: Request) -> Response:
    """Read a file, or the part of it that `Range` asks for."""
    place = place_of(request)
    if not place.path:
        return await list_(request)  # A team's name that holds a slash.
    query_of(request)
    files, key = room_of(request).files, place.key
    with _telling():
        if not any(name in request.headers for name in ("if-match", "if-none-match", "range")):
            reading = await files.get(key)
            return FileFlow(reading, headers_of(reading.info))
        for _ in range(_TRIES):
            info = await files.head(key)
            fresh = _check_read(request, info)
            if fresh is not None:
                return fresh
            part = part_of(_range_of(request, info), info.size)
            start, length = part or (0, None)
            try:
                reading = await files.get(key, start=start, length=length)
            except InvalidError:
                if part is None:
                    raise
                continue  # It has become shorter.
            if reading.info.etag == info.etag:
                break
            await reading.aclose()
        else:
            # Whoever asked for a part may always be given all of it.
            reading, part = await files.get(key), None
    if part is None:
        return FileFlow(reading, headers_of(reading.info))
    told = f"bytes {reading.start}-{reading.stop - 1}/{reading.info.size}"
    return FileFlow(reading, {**headers_of(reading.info), "content-range": told}, 206)


async def head(request: Request) -> Response:
    """Tell what is known of a file, as the headers of reading it."""
    query_of(request)
    place = place_of(request)
    with _telling():
        info = await room_of(request).files.head(place.key)
    fresh = _check_read(request, info)
    return fresh or Response(headers={**headers_of(info), "content-length": str(info.size)})


async def write(request: Request) -> Response:
    """Write a file: the bytes of the body, all of them or nothing."""
    query_of(request)
    place = _writable(request)
    _check_body(request)
    files, key = room_of(request).files, place.key
    create, version = is_create_only(request), version_of(request)
    if create and version is not None:
        raise InvalidError("If-Match and If-None-Match exclude each other: a file that is not there has no ETag")
    if version == "*":
        version = await _current(files, place)
    try:
        info = await files.put(key, request.stream(), if_match=version, create=create, most=request.app.state.limits.max_file)
    except ClientDisconnect as error:
        raise InvalidError("the client left before the file was whole: nothing was written") from error
    except AlreadyExistsError as error:
        raise PreconditionError("there is a file of this name already") from error
    except ConflictError as error:
        if version is None:
            raise ConflictError(
                "the store cannot hold a file and a folder of one name: choose another name, or delete what is there"
            ) from error
        raise PreconditionError("the file has changed since this ETag") from error
    return send(_view(place, info), etag=info.etag)


async def delete(request: Request) -> Response:
    """Delete a file. Who reads it goes on reading."""
    query_of(request)
    place, version = _writable(request), version_of(request)
    try:
        found = await room_of(request).files.delete(place.key, if_match=None if version == "*" else version)
    except ConflictError as error:
        raise PreconditionError("the file has changed since this ETag") from error
    if not found:
        raise NotFoundError("there is no such file in this volume")
    return Response(status_code=204)


def _writable(request: Request) -> Place:
    place = place_of(request)
    place.volume.check_write()
    if not place.path:
        raise InvalidError("this is a volume: name a file in it")
    return place


async def _current(files: Files, place: Place) -> str:
    try:
        return (await files.head(place.key)).etag
    except NotFoundError as error:
        raise PreconditionError("there is no file of this name") from error


def _check_body(request: Request) -> None:
    """Refuse what would not be kept as its sender means it."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise MediaTypeError("send the file as it is, without a Content-Encoding")
    if request.headers.get("content-type", "").strip().lower().startswith("multipart/"):
        raise MediaTypeError("send the file's bytes alone as the body, and not in a form")
    if "content-range" in request.headers:
        raise InvalidError("a part of a file cannot be written: send all of it, without Content-Range")


def _check_read(request: Request, info: FileInfo) -> Response | None:
    """Return the answer where the caller has this version; PreconditionError where they ask for another one."""
    version = version_of(request)
    if version not in (None, "*", info.etag):
        raise PreconditionError("the file has changed since this ETag")
    if not is_fresh(request, info.etag):
        return None
    kept = {name: text for name, text in headers_of(info).items() if name in ("etag", "cache-control", "vary", "last-modified")}
    return Response(status_code=304, headers=kept)


def _range_of(request: Request, info: FileInfo) -> str | None:
    """Return what part is asked for, unless it is of another version."""
    only_of = request.headers.get("if-range")
    return request.headers.get("range") if only_of in (None, info.etag) else None


def _view(place: Place, info: FileInfo) -> FileView:
    path = info.key[len(place.volume.key()) :]
    return FileView(write_path(path), path[-1], info.size, info.etag, type_of(path[-1]), info.modified)


@contextmanager
def _telling() -> Iterator[None]:
    """Say of a file that is not there no more than its caller knows."""
    try:
        yield
    except NotFoundError as error:
        raise NotFoundError("there is no such file in this volume") from error


_TAG: Final = "files"
_HELD: Final = ("missing",)
_PREFIX: Final = Parameter("prefix", "The path of a folder: only what is below it.", {"type": "string"})
_PATH: Final = Parameter(
    "path",
    "The file's path: its parts joined by slashes, each percent-encoded by itself.",
    {"type": "string", "minLength": 1, "maxLength": 850},
    "path",
    True,
)
_RANGE: Final = Parameter("Range", "The part to read, as bytes=0-99.", {"type": "string"}, "header")
_IF_RANGE: Final = Parameter("If-Range", "Read a part of this version only, or else all.", {"type": "string"}, "header")
_CREATE: Final = Parameter("If-None-Match", "Only where there is no such file.", {"type": "string", "enum": ["*"]}, "header")
_ETAG: Final = ("ETag",)


def _operations_of(kind: str, address: str, whose: str) -> tuple[Operation, ...]:
    """Return what can be done with one kind of volume."""
    one = address + "/{path}"
    more = () if kind == "user" else _HELD
    forbidden = ("forbidden",) if kind == "system" else ()
    reading = (*_HELD, "precondition")
    return (
        Operation("GET", address, list_, f"List {whose} files", _TAG, answer=FilePage, name=f"list_{kind}",
                  parameters=(_PREFIX, limit_parameter(), CURSOR), problems=more),
        Operation("GET", one, read, f"Read one of {whose} files", _TAG, raw="*/*", name=f"read_{kind}",
                  parameters=(_PATH, IF_MATCH, IF_NONE_MATCH, _RANGE, _IF_RANGE), headers=_ETAG,
                  also=((206, "The part that was asked for."),), problems=(*reading, "range")),
        Operation("HEAD", one, head, f"Tell what is known of one of {whose} files", _TAG, raw="*/*", name=f"head_{kind}",
                  parameters=(_PATH, IF_MATCH, IF_NONE_MATCH), headers=_ETAG, problems=reading),
        Operation("PUT", one, write, f"Write one of {whose} files", _TAG, takes=BYTES, answer=FileView, name=f"write_{kind}",
                  parameters=(_PATH, IF_MATCH, _CREATE), headers=_ETAG,
                  problems=(*more, *forbidden, "conflict", "precondition")),
        Operation("DELETE", one, delete, f"Delete one of {whose} files", _TAG, status=204, name=f"delete_{kind}",
                  parameters=(_PATH, IF_MATCH), problems=(*_HELD, *forbidden, "precondition")),
    )  # fmt: skip


OPERATIONS: Final = (
    *_operations_of("user", f"{BASE}/user", "the caller's own"),
    *_operations_of("team", BASE + "/team/{team}", "a team's"),
    *_operations_of("system", f"{BASE}/system", "the system's"),
)
