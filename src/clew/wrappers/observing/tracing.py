"""A span of OpenTelemetry for each operation on a store, by the semantic conventions for databases.

It is a child of the span that is current where the operation is called. It tells no owner, id, key or payload, and of an error
its type alone: a message may name what it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

from ...backend import Backend
from ...errors import MissingExtraError
from ..following import leaving
from .observed import ANSWERS, Following, Verb

try:
    from opentelemetry import trace
except ImportError as e:
    raise MissingExtraError("tracing", "tracing") from e

_CLIENT: Final = trace.SpanKind.CLIENT
_ERROR: Final = trace.Status(trace.StatusCode.ERROR)


class StoreTracing:
    """Implements Observer. One store's.

    Attributes:
        attributes: what every span tells of the store.
    """

    def __init__(self, engine: str, url: str) -> None:
        """Take from the store's URL what may be told of it: host, port and number of a database, and no path of a file."""
        # It asks the provider for each span, so that a program may set one later.
        self._tracer = trace.get_tracer("clew")
        self.attributes = _describe(engine, url)

    def begin(self, backend: Backend) -> None:
        """See Observer.begin."""

    def end(self) -> None:
        """See Observer.end."""

    def see(self, operation: str, verb: Verb) -> Verb:
        """See Observer.see."""
        start = self._tracer.start_span
        attributes = {**self.attributes, "db.operation.name": operation}

        async def call(*arguments: Any, **named: Any) -> Any:
            span = start(operation, kind=_CLIENT, attributes=attributes)
            try:
                answer = await verb(*arguments, **named)
            except BaseException as error:
                note_error(span, error)
                raise
            finally:
                span.end()
            return answer

        return call

    def see_following(self, operation: str, verb: Following) -> Following:
        """See Observer.see_following. The span begins with the first look, and lasts as long as somebody follows."""
        attributes = {**self.attributes, "db.operation.name": operation}

        async def seen(source: AsyncIterator[Any]) -> AsyncIterator[Any]:
            span = self._tracer.start_span(operation, kind=_CLIENT, attributes=attributes)
            rows = 0
            try:
                async with leaving(source):
                    async for each in source:
                        rows += 1
                        yield each
            except Exception as error:
                note_error(span, error)
                raise
            finally:
                span.set_attribute("db.response.returned_rows", rows)
                span.end()

        def follow(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
            return seen(verb(*arguments, **named))

        return follow


def note_error(span: trace.Span, error: BaseException) -> None:
    """Tell how a span's work ended. A cancellation is no failure, nor what a store that is well says no with, as a conflict."""
    span.set_attribute("error.type", type(error).__name__)
    if not isinstance(error, (*ANSWERS, asyncio.CancelledError)):
        span.set_status(_ERROR)


def _describe(engine: str, url: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {"db.system.name": "sqlite" if engine == "memory" else engine}
    if engine in ("memory", "sqlite"):
        return found
    parts = urlsplit(url)
    # Of several servers the first one; behind Sentinel it is none of the store's.
    first = parts.netloc.rpartition("@")[2].partition(",")[0]
    host, has_port, port = first.rpartition(":")
    if has_port and port.isdecimal():
        first = host
        found["server.port"] = int(port)
    if first and "sentinel" not in parts.scheme and parts.scheme != "unix":
        found["server.address"] = first.strip("[]")
    else:
        found.pop("server.port", None)
    number = parts.path.strip("/")
    if number.isdecimal():
        found["db.namespace"] = number
    return found
