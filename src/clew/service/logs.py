"""What a worker writes of its work: with CLEW_LOG=json an object a line, one line a request. Never a payload or a credential.

A request's line has the address as the documents write it, without the ids in it, and its caller as a digest. The message of an
error that nobody expected may hold what people wrote, so its kind and its places in the code are written, and not the message.
"""

from __future__ import annotations

import contextvars
import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..ids import new_id
from .identity import SCOPE, Identity
from .problems import REQUEST_ID, route_of

FIELDS: Final = ("event", "request_id", "method", "route", "status", "duration_ms", "caller", "address")
"""What a line may have beside its time, level, logger and message: `extra` of the call that wrote it."""
QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds by machines: told only where the answer is no."""
HEADER: Final = b"x-request-id"
OF_UVICORN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access")
_GIVEN: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

access = logging.getLogger("clew.access")
request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("clew_request_id", default=None)
"""The id of the request that the current task works for; the tasks that it starts have it too."""


trace_ids: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("clew_trace_ids", default=MappingProxyType({}))
"""The `trace_id` and `span_id` of that request, where requests are spans."""


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **trace_ids.get(),
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(record.exc_info[2])]
        return msgspec.json.encode({name: value for name, value in line.items() if value is not None}).decode()


def write_json() -> None:
    """Let everything that is logged go to standard error as lines of JSON: clew's own from `info`, the rest from `warning`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("clew").setLevel(logging.INFO)
    for name in OF_UVICORN:
        # It has handlers of its own, which write text, and its line of a request holds the ids in its address.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


class Logging:
    """Gives each request an id, sends it back as `X-Request-Id`, and writes a line when the request has ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = scope[REQUEST_ID] = _id_of(scope)
        request_id.set(id)
        began = time.perf_counter()
        status: int | None = None

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:
            status = 500
            raise
        finally:
            if access.isEnabledFor(logging.INFO) and not (status == 200 and scope["path"] in QUIET):
                _write(scope, id, status, time.perf_counter() - began)


def caller_of(user: str) -> str:
    """Return what stands for a user in the logs: the same for the same user, in all workers."""
    return blake2b(user.encode(), digest_size=8, person=b"clew caller").hexdigest()


def _id_of(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == HEADER]
    if len(given) == 1 and _GIVEN.fullmatch(given[0]):
        return str(given[0], "ascii")
    return new_id()


def _write(scope: Scope, id: str, status: int | None, seconds: float) -> None:
    identity = scope.get(SCOPE)
    fields = {
        "event": "request",
        "request_id": id,
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "caller": caller_of(identity.user) if isinstance(identity, Identity) else None,
    }
    said = "no answer was begun" if status is None else status
    access.info("%s %s: %s", fields["method"], fields["route"], said, extra=fields)
