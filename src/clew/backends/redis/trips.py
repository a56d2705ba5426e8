"""Group commit for one server: what is asked while a trip is under way goes out together in the next.

A lane owns a few connections, each driven by its own task, so that a caller's cancellation never tears what was sent.
A request that fails with its connection is handed back to its owner, who decides whether it may be sent again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from .scripts import Script

MAX_LINKS: Final = 3
"""Connections in a lane: a large page on one does not hold up the appends on another."""
MAX_TRIP: Final = 128
"""Requests in one trip; what is more goes out over the next free connection, while the server works on the first."""

Reply = Any
"""What hiredis gives: bytes, an int, None, a list of these, or a ResponseError where the command failed."""


def pack(*command: bytes | str | int) -> bytes:
    """Return one command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(command)
    return packed


class Request:
    """Some commands that go out together on one connection, and the future of their replies."""

    __slots__ = ("attempts", "deadline", "durable", "future", "key", "lead", "payload", "repeatable", "replies", "script", "sent")

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
        self.sent = False
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
        confirm: tuple[bytes, Callable[[Reply], BaseException | None]] | None = None,
    ) -> None:
        self._connect = connect
        self._failed = failed
        self._confirm = confirm
        self._queue: deque[Request] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def submit(self, request: Request) -> None:
        """Put a request in the next trip."""
        self._queue.append(request)
        if self._idle:
            self._idle.pop().set_result(None)
        elif len(self._tasks) < MAX_LINKS:
            self._tasks.add(asyncio.get_running_loop().create_task(self._drive(), name="clew-redis-link"))

    async def aclose(self) -> None:
        """Let what was asked come back, then close the connections."""
        self._closing = True
        for waiter in self._idle:
            if not waiter.done():
                waiter.set_result(None)
        self._idle.clear()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _drive(self) -> None:
        """Make trips over one connection for as long as the lane lives."""
        loop = asyncio.get_running_loop()
        connection = self._connect()
        try:
            while True:
                while not self._queue:
                    if self._closing:
                        return
                    waiter: asyncio.Future[None] = loop.create_future()
                    self._idle.append(waiter)
                    await waiter
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_TRIP))]
                await self._travel(connection, batch, loop)
        finally:
            # nowait: the loop may be ending, and there is nobody left to wait for the peer.
            await connection.disconnect(nowait=True)

    async def _travel(self, connection: AbstractConnection, batch: list[Request], loop: asyncio.AbstractEventLoop) -> None:
        done = 0
        now = loop.time()
        for request in [request for request in batch if request.deadline <= now]:
            batch.remove(request)
            self._failed(request, TimeoutError("no answer in time"))
        if not batch:
            return
        try:
            async with asyncio.timeout_at(min(request.deadline for request in batch)):
                if not connection.is_connected:
                    await connection.connect()
                confirm = self._confirm if self._confirm and any(request.durable for request in batch) else None
                payload = b"".join([request.seal() for request in batch])
                for request in batch:
                    request.sent = True
                await connection.send_packed_command(payload + confirm[0] if confirm else payload, check_health=False)
                answers = []
                for request in batch:
                    if request.lead:
                        request.lead = b""
                        await _read(connection)
                    answers.append([await _read(connection) for _ in range(request.replies)])
                    if confirm is None:
                        done += 1
                        self._settle(request, answers[-1])
                if confirm is not None:
                    refusal = confirm[1](await _read(connection))
                    for request, replies in zip(batch, answers, strict=True):
                        done += 1
                        if refusal is not None and request.durable and not isinstance(replies[0], ResponseError):
                            request.fail(refusal)
                        else:
                            self._settle(request, replies)
        except asyncio.CancelledError:
            for request in batch[done:]:
                request.fail(asyncio.CancelledError())
            raise
        except Exception as error:
            # Any failure in the middle of a trip leaves replies unread: only a new connection is sure to be in step.
            await connection.disconnect(nowait=True)
            for request in batch[done:]:
                self._failed(request, error)

    def _settle(self, request: Request, replies: list[Reply]) -> None:
        error = first_error(replies)
        if error is not None:
            if isinstance(error, NoScriptError) and request.script is not None and request.attempts < 3:
                request.attempts += 1
                # Flushed, or a server that took over: load it and ask again, in one trip.
                request.lead = pack("SCRIPT", "LOAD", request.script.source)
                self.submit(request)
                return
            self._failed(request, error)
        else:
            request.settle(replies)


async def _read(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def first_error(replies: Sequence[Reply]) -> ResponseError | None:
    """Return the first reply that is an error, None where there is none."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            return reply
    return None
