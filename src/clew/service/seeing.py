"""Seeing each request: counted for Prometheus, and a span of OpenTelemetry, where the settings ask for it; else it is passed on.

What is told of a request is its method, the address as the documents write it, and its status: nothing that people chose.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import MissingExtraError
from ..schemes import observed_url
from ..settings import Settings
from .limiting import Limits
from .problems import route_of

logger = logging.getLogger("clew.service")

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that are told by name: anybody may send any other word."""


class Told:
    """What is known of a request when it has ended.

    Attributes:
        status: None where no answer was begun.
        begun_s: seconds until the answer began.
        is_stream: whether the answer is a stream of events, which lasts as long as somebody reads it.
    """

    __slots__ = ("begun_s", "is_stream", "method", "route", "status")

    def __init__(self, method: str) -> None:
        self.method = method if method in METHODS else "other"
        self.route = "-"
        self.status: int | None = None
        self.begun_s = 0.0
        self.is_stream = False


class Counting(Protocol):
    """Counts requests."""

    def count(self, told: Told, seconds: float) -> None:
        """Count one."""
        ...

    def run(self, limits: Limits) -> AbstractAsyncContextManager[None]:
        """Take what this worker does into account, for as long as the block lasts."""
        ...

    def write(self, accept: str, encodings: str) -> tuple[bytes, dict[str, str]]:
        """Return all metrics as a scraper takes them, by its headers, and the headers of the answer."""
        ...


class Spanning(Protocol):
    """Makes spans of requests."""

    def span(self, scope: Scope, told: Told) -> AbstractContextManager[None]:
        """Return a context in which the request is the current span. What is told at its end is added to the span."""
        ...

    def close(self) -> None:
        """Send what is not sent yet. It may wait for the network."""
        ...


class Sight:
    """What one worker sees with. Made when it starts.

    Attributes:
        url: the store's, with what the settings say of sight.
        metrics: counts requests; None where nobody asked for it, or it is not installed.
        spans: makes spans of them; likewise.
        missing: why there are no metrics though they were asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.metrics: Counting | None = None
        self.spans: Spanning | None = None
        self.missing: MissingExtraError | None = None
        if settings.metrics != "off":
            try:
                from .measuring import HttpMetrics
            except MissingExtraError as error:
                self._tell(error)
                self.missing = error
            else:
                self.metrics = HttpMetrics()
        if settings.tracing:
            try:
                from .spans import HttpSpans
            except MissingExtraError as error:
                self._tell(error)
            else:
                self.spans = HttpSpans()
        self.url = observed_url(settings.url, metrics=self.metrics is not None, tracing=self.spans is not None)

    @contextlib.asynccontextmanager
    async def run(self, limits: Limits) -> AsyncIterator[None]:
        """Look at what this worker does, for as long as the block lasts."""
        async with contextlib.AsyncExitStack() as stack:
            if self.metrics is not None:
                await stack.enter_async_context(self.metrics.run(limits))
            if self.spans is not None:
                stack.push_async_callback(asyncio.to_thread, self.spans.close)
            yield

    @property
    def is_blind(self) -> bool:
        """Whether there is nothing to see with."""
        return self.metrics is None and self.spans is None

    def _tell(self, error: MissingExtraError) -> None:
        logger.warning("serving without: %s", error, extra={"event": "not_installed"})


class Seeing:
    """Passes on each request, and takes note of how it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["app"].state.sight.is_blind:
            await self._app(scope, receive, send)
            return
        sight: Sight = scope["app"].state.sight
        told = Told(scope["method"])
        began = time.perf_counter()

        async def send_seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                told.status = message["status"]
                told.begun_s = time.perf_counter() - began
                told.is_stream = any(
                    name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
                )
            await send(message)

        try:
            with nullcontext() if sight.spans is None else sight.spans.span(scope, told):
                try:
                    await self._app(scope, receive, send_seen)
                except Exception:
                    told.status = 500
                    raise
                finally:
                    told.route = route_of(scope)
        finally:
            if sight.metrics is not None:
                sight.metrics.count(told, time.perf_counter() - began)
