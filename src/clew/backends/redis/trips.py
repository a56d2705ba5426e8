"""Group commit for one server: what is asked while a trip is under way goes out together in the next.

A lane owns a few connections. A lone request travels in its caller's own task, all others in a task of the lane; either way
a caller's cancellation never tears what was sent.
A request that fails with its connection is handed back to its owner, who decides whether it may be sent again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from .scripts import Script

MAX_LINKS: Final = 3
"""Connections in a lane: a large page on one does not hold up the appends on another."""
MAX_TRIP: Final = 128
"""Requests in one trip; what is more goes out over the next free connection, while the server works on the first."""

MAX_LOADS: Final = 10
"""How often one request loads its script: again after each flush or failover that comes between."""

Confirmation = tuple[bytes, "Callable[[Reply], BaseException | None]"]
"""A command that ends every trip with writes, and what its reply means for them: an error, or None."""

Reply = Any
"""What hiredis gives: bytes, an int, None, a list of these, or a ResponseError where the command failed."""


def pack(*command: bytes | str | int) -> bytes:
    """Return one command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub forbids a union that it takes
    return packed


class Request:
    """Some commands that go out together on one connection, and the future of their replies."""

    __slots__ = (
        "attempts",
        "deadline",
        "durable",
        "future",
        "key",
        "lead",
        "loads",
        "payload",
        "received",
        "repeatable",
        "replies",
        "script",
        "sent",
    )

    def seal(self) -> bytes:
        """Return what goes over the wire; called when the trip starts, and nothing may be added after it."""
        return self.lead + self.payload

    def settle(self, replies: list[Reply]) -> None:
        """Give the replies to whoever waits for them."""
        if not self.future.done():
            self.future.set_result(replies)

    def fail(self, error: BaseException) -> None:
        """Give whoever waits an error instead."""
        if not self.future.done():
            self.future.set_exception(error)

    def __init__(
        self,
        key: bytes,
        payload: bytes,
        replies: int,
        future: asyncio.Future[list[Reply]],
        deadline: float,
        *,
        script: Script | None = None,
        repeatable: bool = True,
        durable: bool = False,
    ) -> None:
        self.key = key
        self.payload = payload
        self.replies = replies
        self.future = future
        self.deadline = deadline
        self.script = script
        self.repeatable = repeatable
        self.durable = durable
        self.attempts = 0
        self.loads = 0
        self.sent = False
        self.received: list[Reply] = []
        """What has come so far."""
        self.lead = b""
        """One command to go before the others just this time: to load the script, or to follow a slot on its move."""


class Lane:
    """The way to one server.

    Args:
        connect: makes a connection that is not yet open.
        failed: called with a request and what went wrong; it resolves the request's future or sends it again.
        confirm: a command to end every trip with that carries writes (`WAIT`), and the check of its reply, which
            returns an error for those writes or None.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        failed: Callable[[Request, BaseException], None],
        confirm: Confirmation | None = None,
    ) -> None:
        self._connect = connect
        self._failed = failed
        self._confirm = confirm
        self._queue: deque[Request] = deque()
        self._free: list[AbstractConnection] = []
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()
        self._closing = False

    async def carry(self, request: Request) -> list[Reply]:
        """Send a request and return its replies: at once, by the caller's own task, where nothing is under way."""
        if self._under_way or self._queue or not self._free:
            self.submit(request)
            return await request.future
        connection = self._free.pop()
        self._under_way += 1
        loop = asyncio.get_running_loop()
        trip = Trip(connection, [request], self._confirm)
        try:
            await trip.go(loop, self._failed, self.submit)
        except asyncio.CancelledError:
            # The caller leaves; what it sent is still answered, and the answer must be taken off the connection.
            request.future.cancel()
            self._start(self._finish(trip, loop))
            raise
        self._release(connection)
        return await request.future

    def submit(self, request: Request) -> None:
        """Put a request in the next trip."""
        self._queue.append(request)
        if self._under_way < MAX_LINKS:
            self._under_way += 1
            self._start(self._drive(self._free.pop() if self._free else self._connect()))

    async def aclose(self) -> None:
        """Let what was asked come back, then close the connections."""
        self._closing = True
        while self._under_way:
            self._quiet.clear()
            await self._quiet.wait()
        await self.abandon()

    async def abandon(self) -> None:
        """Close the connections that rest: at the end, or since the event loop is ending."""
        while self._free:
            # A peer that does not say goodbye in time (TLS has one) is left all the same.
            with suppress(RedisError, OSError):
                await self._free.pop().disconnect()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="clew-redis-trip")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, connection: AbstractConnection) -> None:
        """Make trips over one connection until nothing is asked any more."""
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_TRIP))]
                await Trip(connection, batch, self._confirm).go(loop, self._failed, self.submit)
        except BaseException:
            # The loop is ending: there is nobody left to wait for the server.
            await connection.disconnect(nowait=True)
            while self._queue:
                self._queue.popleft().fail(asyncio.CancelledError())
            raise
        finally:
            self._release(connection)

    async def _finish(self, trip: Trip, loop: asyncio.AbstractEventLoop) -> None:
        """Read what a cancelled caller left unread."""
        try:
            await trip.go(loop, self._failed, self.submit)
        except BaseException:
            await trip.connection.disconnect(nowait=True)
            raise
        finally:
            self._release(trip.connection)

    def _release(self, connection: AbstractConnection) -> None:
        self._under_way -= 1
        self._free.append(connection)
        if self._queue and not self._closing:
            self._under_way += 1
            self._start(self._drive(self._free.pop()))
        elif not self._under_way:
            self._quiet.set()


class Trip:
    """Some requests on their way over one connection; `go` may be called again after a cancellation, to read the rest."""

    __slots__ = ("_answers", "_batch", "_confirm", "_sent", "_settled", "connection")

    def __init__(self, connection: AbstractConnection, batch: list[Request], confirm: Confirmation | None) -> None:
        self.connection = connection
        self._batch = batch
        self._confirm = confirm if confirm and any(request.durable for request in batch) else None
        self._answers: list[list[Reply]] = []
        self._sent = False
        self._settled = 0

    async def go(
        self, loop: asyncio.AbstractEventLoop, failed: Callable[[Request, BaseException], None], again: Callable[[Request], None]
    ) -> None:
        """Send the requests, read every reply, and give each one what came."""
        if not self._sent:
            now = loop.time()
            late = [request for request in self._batch if request.deadline <= now]
            if late:
                self._batch = [request for request in self._batch if request.deadline > now]
                for request in late:
                    failed(request, TimeoutError("no answer in time"))
                if not self._batch:
                    return
        try:
            async with asyncio.timeout_at(min([request.deadline for request in self._batch])):
                if not self._sent:
                    await self._send()
                await self._receive(failed, again)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # Any failure in the middle of a trip leaves replies unread: only a new connection is sure to be in step.
            await self.connection.disconnect(nowait=True)
            for request in self._batch[self._settled :]:
                failed(request, error)

    async def _send(self) -> None:
        connection = self.connection
        if not connection.is_connected:
            await connection.connect()  # type: ignore[no-untyped-call]
        payload = b"".join([request.seal() for request in self._batch])
        if self._confirm:
            payload += self._confirm[0]
        for request in self._batch:
            request.sent = True
            request.received = []
        self._sent = True
        await connection.send_packed_command(payload, check_health=False)

    async def _receive(self, failed: Callable[[Request, BaseException], None], again: Callable[[Request], None]) -> None:
        connection, batch, answers = self.connection, self._batch, self._answers
        for request in batch[len(answers) :]:
            while len(request.received) < request.replies + bool(request.lead):
                request.received.append(await _read(connection))
            refused = bool(request.lead) and isinstance(request.received[0], ResponseError)
            replies = request.received[1:] if request.lead and not refused else request.received
            request.lead, request.received = b"", []
            answers.append(replies)
            if self._confirm is None:
                self._settled += 1
                _settle(request, replies, failed, again)
        if self._confirm is not None:
            refusal = self._confirm[1](await _read(connection))
            for request, replies in zip(batch, answers, strict=True):
                self._settled += 1
                if refusal is not None and request.durable and first_error(replies) is None:
                    request.fail(refusal)
                else:
                    _settle(request, replies, failed, again)


def _settle(
    request: Request,
    replies: list[Reply],
    failed: Callable[[Request, BaseException], None],
    again: Callable[[Request], None],
) -> None:
    error = first_error(replies)
    if error is None:
        request.settle(replies)
    elif isinstance(error, NoScriptError) and request.script is not None and request.loads < MAX_LOADS:
        request.loads += 1
        # Flushed, or a server that took over: load it and ask again, in one trip.
        request.lead = pack("SCRIPT", "LOAD", request.script.source)
        again(request)
    else:
        failed(request, error)


async def _read(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error


def first_error(replies: Sequence[Reply]) -> ResponseError | None:
    """Return the first reply that is an error, None where there is none."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            return reply
    return None
