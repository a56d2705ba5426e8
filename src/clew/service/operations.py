"""An operation of the HTTP API: its address, its function, and what the OpenAPI document says of it, written once.

`routes_of` makes the routes of a list of operations, and `openapi.describe` their document, so that neither has what the other
lacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import InvalidError
from .refusals import MediaTypeError

Endpoint = Callable[[Request], Awaitable[Response]]
JSON_TYPE: Final = "application/json"


class _Rest(PathConvertor):
    """The rest of an address, whatever it holds: Starlette's own `path` ends at a line's end."""

    regex = "(?s:.*)"


register_url_convertor("rest", _Rest())


PENDING: Final = (202, "The store is away: it is accepted into a journal, and written when the store is back.")
"""What an operation answers also that can be accepted without the store."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, a header or the address.

    Attributes:
        schema: JSON Schema.
        place: `query` or `header`, or `path` where more is to be said of a part of the address than its name.
    """

    name: str
    text: str
    schema: dict[str, Any]
    place: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Attributes:
        body: the shape of the JSON body; None for no body.
        answer: the shape of the JSON answer; None for no body.
        headers: names of the headers that the answer has.
        problems: the names of problems (`problems.KINDS`) that are this operation's own, beside those of all.
        raw: another content type of the body or the answer than JSON, as `text/event-stream`.
        streams: whether the answer may be asked for as events, too.
        takes: another content type of the body than JSON.
        also: other answers that are no problems, as (206, "A part of it.").
        name: what the document calls it; the name of its function for None.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    tag: str
    body: Any = None  # a type, as msgspec takes any
    answer: Any = None
    status: int = 200
    parameters: Sequence[Parameter] = ()
    headers: Sequence[str] = ()
    problems: Sequence[str] = ()
    raw: str | None = None
    streams: bool = False
    takes: str | None = None
    also: Sequence[tuple[int, str]] = ()
    name: str | None = None


def routes_of(operations: Sequence[Operation]) -> list[Route]:
    """Return one route for each address, in the order the addresses come first. A part `{path}` takes slashes too."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for each in operations:
        by_path.setdefault(each.path, {})[each.method] = each.endpoint
    return [
        Route(path.replace("{path}", "{path:rest}"), _choose(endpoints), methods=[*endpoints])
        for path, endpoints in by_path.items()
    ]


def _choose(endpoints: dict[str, Endpoint]) -> Endpoint:
    async def serve(request: Request) -> Response:
        endpoint = endpoints.get(request.method) or (endpoints.get("GET") if request.method == "HEAD" else None)
        if endpoint is None:
            raise HTTPException(405, headers={"allow": ", ".join(endpoints)})
        return await endpoint(request)

    return serve


def send(value: object, status: int = 200, **headers: str) -> Response:
    """Return a JSON response; underscores in the names of headers become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(msgspec.json.encode(value), status, {"cache-control": "no-store", **named}, JSON_TYPE)


def in_header(id: str) -> str:
    """Return an id as it stands in a header or an address: of any characters, percent-encoded where it has to be."""
    return quote(id, safe=":@!$&'()*+,;=~")


async def read_json(request: Request) -> bytes:
    """Return the body of a request; MediaTypeError where it says that it is no JSON."""
    kind = request.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if kind != JSON_TYPE and not (kind.startswith("application/") and kind.endswith("+json")):
        raise MediaTypeError(f"the body must be {JSON_TYPE}")
    return await request.body()


def query_of(request: Request, *known: str) -> dict[str, str]:
    """Return the query's parameters; InvalidError where one is not known, or comes twice."""
    found: dict[str, str] = {}
    for name, text in request.query_params.multi_items():
        if name not in known:
            raise InvalidError(f"the parameter {name[:40]!r} is not known here: use {', '.join(known) or 'none'}")
        if name in found:
            raise InvalidError(f"the parameter {name!r} is given twice")
        found[name] = text
    return found


def number_of(query: dict[str, str], name: str, default: int) -> int:
    """Return a whole number of the query; InvalidError where it is none."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidError(f"{name} must be a whole number")
    return int(text)


def choice_of(query: dict[str, str], name: str, *choices: str) -> str:
    """Return one of some words of the query, the first one where it has none; InvalidError for another."""
    text = query.get(name, choices[0])
    if text not in choices:
        raise InvalidError(f"{name} must be one of {', '.join(choices)}")
    return text
