"""How the service tells an error: problem details (RFC 9457), whose `type` says which of clew's answers it is.

The table is the one place where errors become HTTP. A `type` is a path of this service, which explains it. Nothing here holds
what people wrote, or a credential. The page's own addresses tell the same problems, and beside them `error`, as ChatKit's clients
read it: a sentence for people.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from ..adapters.chatkit import BusyError as AnsweringError
from ..adapters.chatkit import sentence_of, status_of
from ..adapters.chatkit.attachments import TooLargeError, WrongTypeError
from ..errors import (
    ClewError,
    ClosedError,
    ConflictError,
    DeniedError,
    FullError,
    GoneError,
    InvalidError,
    MissingExtraError,
    NotFoundError,
    NotReplicatedError,
    ReusedTokenError,
    UnavailableError,
    UnknownCursorError,
    UnreadableError,
    UnsupportedError,
)
from .identity import ForbiddenError, UnauthorizedError
from .refusals import (
    BusyError,
    LocalOnlyError,
    MediaTypeError,
    ModelError,
    PreconditionError,
    RangeError,
    RateError,
    SlowError,
    TooLongError,
)

logger = logging.getLogger("clew.service")

MEDIA_TYPE: Final = "application/problem+json"
BASE: Final = "/problems/"
RETRY_AFTER_S: Final = 2
AWAY: Final = "Something it needs is away"
REQUEST_ID: Final = "clew.request_id"
"""Where a request's id stands in its scope."""
OF_PAGE: Final = ("/chatkit", "/api/v1/attachments/")
"""The addresses that ChatKit's clients ask: they look for JSON, unless they say that they take problem details."""
RUNS_OF_PAGE: Final = ("/active", "/events", "/stop")
"""How the addresses end that the page asks beside them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: a problem's name, its status, its title, and what to do about it."""

    name: str
    status: int
    title: str
    advice: str


_KINDS: Final[tuple[tuple[type[ClewError], Kind], ...]] = (
    (
        UnauthorizedError,
        Kind("unauthorized", 401, "Nobody is signed in", "Send a valid token or API key: Authorization: Bearer ..."),
    ),
    (ForbiddenError, Kind("forbidden", 403, "Not yours to change", "It may be read by this caller, and not written.")),
    (
        LocalOnlyError,
        Kind("local-only", 403, "For this machine only", "Ask localhost, from this machine or from the service's own page."),
    ),
    (GoneError, Kind("gone", 410, "It was deleted", "It was there and has been deleted; its id stays taken for a week.")),
    (UnknownCursorError, Kind("unknown-cursor", 404, "The cursor is not known", "Start again from one end.")),
    (NotFoundError, Kind("missing", 404, "There is no such thing", "It is not there for this caller: check the id.")),
    (PreconditionError, Kind("precondition", 412, "It has changed", "Read it again, decide, and send the new ETag.")),
    (AnsweringError, Kind("answering", 409, "An answer is being made", "Wait for its end, or stop it; then send it again.")),
    (ConflictError, Kind("conflict", 409, "Somebody else was first", "Nothing was written: read it again, then decide.")),
    (TooLongError, Kind("too-large", 413, "The body is too long", "Send less at once.")),
    (TooLargeError, Kind("too-large", 413, "The body is too long", "Send less at once.")),
    (MediaTypeError, Kind("media-type", 415, "The body is of another kind", "Send application/json.")),
    (WrongTypeError, Kind("media-type", 415, "The body is of another kind", "Send a kind that is taken.")),
    (RangeError, Kind("range", 416, "There is no such part", "Content-Range says how long the file is.")),
    (SlowError, Kind("slow", 408, "The body did not come in time", "Send it again, on a better connection.")),
    (RateError, Kind("rate", 429, "Too many requests", "Wait as long as Retry-After says.")),
    (BusyError, Kind("busy", 503, "This worker is busy", "Nothing was done: wait as long as Retry-After says.")),
    (ModelError, Kind("no-model", 503, "No model answered", "Nothing was changed: send it again later.")),
    (
        ReusedTokenError,
        Kind("key-reused", 422, "This key was used before", "Use an Idempotency-Key of its own for each request."),
    ),
    (InvalidError, Kind("invalid", 400, "The request is wrong", "Mend it: sending it again will not help.")),
    (
        NotReplicatedError,
        Kind(
            "degraded", 503, "Written, but not yet safe", "Too few replicas have it: send it again with the same Idempotency-Key."
        ),
    ),
    (FullError, Kind("full", 507, "The store is full", "Nothing was written: somebody has to make room.")),
    (UnreadableError, Kind("unreadable", 500, "It is kept, but cannot be read", "A record is damaged, or of a newer clew.")),
    (
        UnavailableError,
        Kind(
            "unavailable",
            503,
            AWAY,
            "The store, the files or the keys of tokens cannot be reached: send it again after Retry-After, with the same "
            "Idempotency-Key.",
        ),
    ),
    (ClosedError, Kind("unavailable", 503, AWAY, "This worker is about to end: send it again.")),
    (DeniedError, Kind("unavailable", 503, AWAY, "What it needs refuses this service: its operator has to mend that.")),
    (
        MissingExtraError,
        Kind("not-installed", 501, "It is not installed here", "Its operator has to install it."),
    ),
    (UnsupportedError, Kind("unsupported", 501, "This store cannot do that", "Use another store.")),
)
_UNEXPECTED: Final = Kind("unexpected", 500, "Something went wrong on the server", "It was noted there.")
_BY_STATUS: Final = {
    404: Kind("missing", 404, "There is no such thing", "There is no such address."),
    405: Kind("method", 405, "Not with this method", "The Allow header says which there are."),
}
KINDS: Final = {kind.name: kind for kind in [*(kind for _, kind in _KINDS), _UNEXPECTED, _BY_STATUS[405]][::-1]}
"""Every problem there is, by name."""


def kind_of(error: Exception) -> Kind:
    """Return what an error is to a caller."""
    if isinstance(error, HTTPException):
        found = _BY_STATUS.get(error.status_code)
        return found or Kind("invalid", error.status_code, "The request is wrong", "Mend it: sending it again will not help.")
    return next((kind for of, kind in _KINDS if isinstance(error, of)), _UNEXPECTED)


def answer(error: Exception, scope: Scope) -> Response:
    """Return the response that tells an error to a request, and note what is the server's own fault."""
    kind = kind_of(error)
    # A server's fault is told in words for people, and so is what speaks of the library's arguments.
    is_general = kind.status >= 500 or isinstance(error, HTTPException | ReusedTokenError)
    is_general = is_general and not isinstance(error, MissingExtraError)
    detail = kind.advice if is_general else str(error)
    if kind.status >= 500:
        what = error if isinstance(error, ClewError) else ""
        logger.warning("%s %s: %s: %s", scope["method"], route_of(scope), type(error).__name__, what)
    body: dict[str, Any] = {"type": BASE + kind.name, "title": kind.title, "status": kind.status, "detail": detail}
    if isinstance(error, ConflictError) and isinstance(error.actual, int | str):
        body["actual"] = error.actual
    if isinstance(error, AnsweringError):
        body["thread"] = error.thread_id
    if _is_of_page(scope["path"]):
        body["error"] = _for_people(error, kind, detail)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if kind.status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    if isinstance(error, RateError):
        headers["retry-after"] = str(max(1, round(error.wait + 0.5)))
    if isinstance(error, RangeError):
        headers["content-range"] = f"bytes */{error.size}"
    if kind.status == 401:
        # Who has sent no token has not sent a wrong one (RFC 6750, section 3).
        headers["www-authenticate"] = 'Bearer error="invalid_token"' if _has_token(scope) else "Bearer"
    if kind is _UNEXPECTED and REQUEST_ID in scope:
        # It is sent past what adds the id to all others.
        headers["x-request-id"] = scope[REQUEST_ID]
    headers["cache-control"] = "no-store"
    return Response(msgspec.json.encode(body), kind.status, headers, _media_type(scope))


def route_of(scope: Scope) -> str:
    """Return the address that a request asked, as the documents write it: without the ids in it, which are people's own."""
    route = scope.get("route")
    if route is None:
        # It was refused on the way in.
        route = next((each for each in scope["app"].routes if each.matches(scope)[0] is not Match.NONE), None)
    return str(getattr(route, "path", "-")).replace(":rest}", "}")


def _is_of_page(path: str) -> bool:
    return path.startswith(OF_PAGE) or (path.startswith("/api/v1/threads/") and path.endswith(RUNS_OF_PAGE))


def _has_token(scope: Scope) -> bool:
    given = [value.lower().split() for name, value in scope["headers"] if name == b"authorization"]
    return any(len(words) > 1 and words[0] == b"bearer" for words in given)


def _media_type(scope: Scope) -> str:
    if not scope["path"].startswith(OF_PAGE):
        return MEDIA_TYPE
    return MEDIA_TYPE if MEDIA_TYPE in Headers(scope=scope).get("accept", "") else "application/json"


def _for_people(error: Exception, kind: Kind, detail: str) -> dict[str, object]:
    """Return what a page shows: which error it is, a sentence, and the answer that is in the way, if one is."""
    told: dict[str, object] = {"type": type(error).__name__, "message": detail}
    if kind.status >= 500:
        told["message"] = f"{kind.title}. {kind.advice}"
    if isinstance(error, ClewError) and status_of(error) in (404, 503, 507):
        told["message"] = sentence_of(error)
    if isinstance(error, AnsweringError):
        told |= {"thread": error.thread_id, "run": error.run_id}
    return told


async def tell(request: Request, error: Exception) -> Response:
    """Answer a request with the error that ended it."""
    return answer(error, request.scope)


async def explain(request: Request) -> Response:
    """Say what a problem's type means."""
    kind = KINDS.get(request.path_params["name"])
    if kind is None:
        raise NotFoundError("there is no problem of this name")
    return PlainTextResponse(f"{kind.title} ({kind.status}).\n{kind.advice}\n")
