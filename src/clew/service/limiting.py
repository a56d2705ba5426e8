"""How much one worker takes: bytes of a body and the time it may come in, requests at once, and requests a second of each caller.

Whoever is refused is told when to come again. A stream of events takes no place of a request while it only waits; streams are
counted by themselves. Files may be longer than other bodies. Some places are for the messages of channels alone, which are
answered without the store, too: whoever waits for a store that went away does not stand in their way.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ClewError
from ..settings import Access
from .identity import SCOPE, Identity
from .problems import answer
from .refusals import BusyError, RateError, SlowError, TooLongError

BURST_S: Final = 2.0
"""A caller who was silent may send what this many seconds allow at once."""
CALLERS: Final = 10_000
BODY_S: Final = 30.0
"""The longest silence within a body."""
MOST_STREAMS: Final = 4
"""Streams that may be open, for each request that is worked on at once."""
MOST_UNREAD: Final = 128 * 1024 * 1024
"""A refused body of at most this many bytes is let in and thrown away: a sender who is cut off may never read why."""
OF_ATTACHMENTS: Final = "/api/v1/attachments/"
OF_FILES: Final = "/api/files/"
OF_CHAT: Final = "/api/v1/chat"
FOR_CHAT: Final = 4
"""One place in this many is for the messages of channels alone."""
UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Rates:
    """A bucket of requests for each caller, which fills again at the rate."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST_S)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Take one request of this caller's; RateError where none is left."""
        now = self._clock()
        left, at = self._left.pop(caller, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        taken = left >= 1
        self._left[caller] = (left - 1 if taken else left, now)
        if len(self._left) > CALLERS:
            self._left.popitem(last=False)
        if not taken:
            raise RateError("too many requests: ask less often", (1 - left) / self._rate)


class Limits:
    """What one worker has to do now. Made when it starts."""

    def __init__(self, access: Access) -> None:
        self.max_body = access.max_body
        self.max_file = access.max_file
        self._most = access.concurrency
        self._most_others = self._most - self._most // FOR_CHAT
        self._working = 0
        self._streaming = 0
        self._rates = Rates(access.rate) if access.rate and access.mode != "none" else None

    @property
    def working(self) -> int:
        """How many requests are worked on."""
        return self._working

    @property
    def streaming(self) -> int:
        """How many streams are open."""
        return self._streaming

    def most_of(self, path: str) -> int | None:
        """Return how many bytes the body of a request to this path may have; None where whoever takes it counts them."""
        if path.startswith(OF_ATTACHMENTS):
            return None
        return self.max_file if path.startswith(OF_FILES) else self.max_body

    def enter(self, identity: Identity | None, path: str) -> Place:
        """Return a place to work in; RateError or BusyError where there is none."""
        if self._rates is not None and identity is not None:
            self._rates.take(identity.user)
        most = self._most if path == OF_CHAT else self._most_others
        if self._working >= most or self._streaming >= self._most * MOST_STREAMS:
            raise BusyError("this worker has enough to do")
        return Place(self)

    def count(self, working: int = 0, streaming: int = 0) -> None:
        """Note that work began or ended."""
        self._working += working
        self._streaming += streaming


class Place:
    """A request's place among those that are worked on, or among the streams."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_stream = False
        limits.count(working=1)

    def become_stream(self) -> None:
        """Give the place back, and go on as a stream."""
        if not self._is_stream:
            self._is_stream = True
            self._limits.count(working=-1, streaming=1)

    def leave(self) -> None:
        """Give it back."""
        self._limits.count(*((0, -1) if self._is_stream else (-1, 0)))


class Limiting:
    """Passes on what this worker can take."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        limits: Limits = scope["app"].state.limits
        most = limits.most_of(scope["path"])
        try:
            if most is not None and _length_of(scope) > most:
                raise TooLongError(f"the body is too long: at most {most:,} bytes are taken")
            place = limits.enter(scope.get(SCOPE), scope["path"])
        except ClewError as error:
            response = answer(error, scope)
            if not 0 < _length_of(scope) <= MOST_UNREAD:
                # What is not read of the body would be taken for the next request, or never end.
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_stream(message):
                place.become_stream()
            await send(message)

        try:
            await self._app(scope, _Body(receive, most).receive, send_counted)
        finally:
            place.leave()


class _Body:
    """A request's body as it comes in: not too much of it, and not too slowly."""

    def __init__(self, receive: Receive, most: int | None) -> None:
        self._receive = receive
        self._most = most
        self._taken = 0
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_S):
                message = await self._receive()
        except TimeoutError as error:
            raise SlowError(f"nothing more of the body came in {BODY_S:.0f} seconds") from error
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._most is not None and self._taken > self._most:
            raise TooLongError(f"the body is too long: at most {self._most:,} bytes are taken")
        return message


def _length_of(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 0
    return 0


def _is_stream(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"])
