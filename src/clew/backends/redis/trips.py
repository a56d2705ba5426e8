"""Group commit for one server: what is asked while a trip is under way goes out together in the next.

A lane owns a few connections, each of which makes one trip at a time. A request is answered through its future alone, so a
caller's cancellation never tears what was sent.
A request that fails with its connection is handed back to its owner, who decides whether it may be sent again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from ...metering import Meters
from .faults import is_read_only
from .links import Link
from .requests import Reply, Request, first_error, pack

MAX_LINKS: Final = 3
"""Connections in a lane: a large page on one does not hold up the appends on another."""
MAX_TRIP: Final = 128
"""Requests in one trip; what is more goes out over the next free connection, while the server works on the first."""

MAX_LOADS: Final = 10
"""How often one request loads its script: again after each flush or failover that comes between."""

Confirmation = tuple[bytes, "Callable[[Reply], BaseException | None]"]
"""A command that ends every trip with writes, and what its reply means for them: an error, or None."""


class Lane:
    """The way to one server.

    Args:
        connect: makes a connection that is not yet open.
        failed: called with a request and what went wrong; it resolves the request's future or sends it again.
        confirm: a command to end every trip with that carries writes (`WAIT`), and the check of its reply, which
            returns an error for those writes or None.
        connect_timeout: seconds that an attempt to connect may take at least, also where who asked for it gives up before.
        together: makes fewer requests of those of a trip, or returns them as they are.
        tally: where it counts; one of its own for None.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        failed: Callable[[Request, BaseException], None],
        confirm: Confirmation | None = None,
        *,
        connect_timeout: float = 2.0,
        together: Callable[[list[Request]], list[Request]] | None = None,
        tally: Meters | None = None,
    ) -> None:
        self.tally = Meters() if tally is None else tally
        self._together = together
        self.failed = failed
        self.confirm = confirm
        self.loop = asyncio.get_running_loop()
        self._connect = connect
        self._connect_timeout = connect_timeout
        self._queue: deque[Request] = deque()
        self._free: list[Link] = []
        self._links: set[Link] = set()
        self._spare: list[Opening] = []
        self._under_way = 0
        self._gathering = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()

    def submit(self, request: Request) -> None:
        """Send a request: at once where nothing is under way, else with all that is asked in this turn of the event loop."""
        self._queue.append(request)
        if self._free and not self._under_way:
            self._start()
        elif not self._gathering:
            self._gathering = True
            self.loop.call_soon(self._start)

    def done(self, link: Link | None) -> None:
        """Take a connection back after its trip; None where it broke."""
        self._under_way -= 1
        if link is not None:
            if link.retired:
                link.close()
            else:
                self._free.append(link)
        if self._queue:
            if not self._gathering:
                self._gathering = True
                self.loop.call_soon(self._start)
        elif not self._under_way:
            self._quiet.set()

    def retire(self) -> None:
        """Send nothing more over what is open now: it leads to a server that is no primary any more, and a new one may find it.

        Nobody else closes them: a primary that was told to follow another keeps its clients, and refuses their writes.
        """
        for link in self._links:
            link.retired = True
        free, self._free = self._free, []
        for link in free:
            link.close()

    def lost(self, link: Link) -> None:
        """Forget a connection that has closed."""
        self.tally.connected -= link in self._links
        self._links.discard(link)
        if link in self._free:
            self._free.remove(link)

    async def aclose(self) -> None:
        """Let what was asked come back, then close the connections."""
        while self._under_way or self._queue:
            self._quiet.clear()
            await self._quiet.wait()
        tasks = list(self._tasks)
        await self.abandon()
        # What they had half open they close themselves.
        await asyncio.gather(*tasks, return_exceptions=True)

    async def abandon(self) -> None:
        """Close the connections: at the end, or since the event loop is ending."""
        for task in self._tasks:
            task.cancel()
        for link in self._links:
            # All of them, before anything is waited for: whoever ends the loop may not wait for the second one.
            link.close()
        for link in list(self._links):
            # A peer that does not say goodbye in time (TLS has one) is left all the same.
            with suppress(RedisError, OSError):
                await link.aclose()

    def _start(self) -> None:
        self._gathering = False
        queue = self._queue
        while queue and self._under_way < MAX_LINKS:
            batch = [queue.popleft() for _ in range(min(len(queue), MAX_TRIP))]
            if self._together is not None and len(batch) > 1:
                batch = self._together(batch)
            self._under_way += 1
            if self._free:
                self._depart(self._free.pop(), batch)
            elif self._spare:
                self._spare.pop().wait(batch)
            else:
                opening = Opening(self, batch)
                until = max(min(request.deadline for request in batch), self.loop.time() + self._connect_timeout)
                task = self.loop.create_task(self._open(opening, until), name="clew-redis-link")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _depart(self, link: Link, batch: list[Request]) -> None:
        now = self.loop.time()
        if any([request.deadline <= now for request in batch]):
            for request in batch:
                if request.deadline <= now:
                    self.failed(request, TimeoutError("no answer in time"))
            batch = [request for request in batch if request.deadline > now]
            if not batch:
                self.done(link)
                return
        link.go(Trip(self, link, batch))

    def let_go(self, opening: Opening) -> None:
        """Take back the place of an attempt to connect that nobody waits for any more, and keep it for who comes next."""
        self._spare.append(opening)
        self.done(None)

    async def _open(self, opening: Opening, until: float) -> None:
        """Open a connection for a trip that waits, or for a later one."""
        try:
            async with asyncio.timeout_at(until):
                link = await Link.open(self._connect(), self.lost)
        except asyncio.CancelledError:
            # The loop is ending: there is nobody left to wait for the server.
            batch = self._end(opening)
            self._under_way -= bool(batch)
            for request in (*batch, *self._queue):
                request.fail(asyncio.CancelledError())
            self._queue.clear()
            raise
        except Exception as error:
            # Whatever it was, `failed` knows which kinds to try again.
            batch = self._end(opening)
            for request in batch:
                self.failed(request, error)
            if batch:
                self.done(None)
        else:
            self._links.add(link)
            self.tally.connections += 1
            self.tally.connected += 1
            link.tally = self.tally
            batch = self._end(opening)
            if batch:
                self._depart(link, batch)
            else:
                self._free.append(link)

    def _end(self, opening: Opening) -> list[Request]:
        if opening in self._spare:
            self._spare.remove(opening)
        return opening.end()


class Opening:
    """A connection on its way, and the requests that wait for it: each until its own deadline, while the attempt goes on.

    Where a server is slow to take connections, no attempt would ever be done that ends with an impatient request.
    """

    __slots__ = ("_batch", "_lane", "_watch")

    def __init__(self, lane: Lane, batch: list[Request]) -> None:
        self._lane = lane
        self.wait(batch)

    def wait(self, batch: list[Request]) -> None:
        """Let these requests wait for it; nobody else does."""
        self._batch = batch
        self._watch = self._lane.loop.call_at(min([request.deadline for request in batch]), self._look)

    def end(self) -> list[Request]:
        """Return who waits still, and watch over them no longer."""
        self._watch.cancel()
        return self._batch

    def _look(self) -> None:
        """Tell those whose time is over."""
        now = self._lane.loop.time()
        late = [request for request in self._batch if request.deadline <= now]
        batch = self._batch = [request for request in self._batch if request.deadline > now]
        for request in late:
            self._lane.failed(request, TimeoutError("no connection in time"))
        if batch:
            self.wait(batch)
        else:
            self._lane.let_go(self)


class Trip:
    """Some requests on their way over one connection."""

    __slots__ = ("_answers", "_at", "_batch", "_confirm", "_lane", "_link", "_received", "deadline")

    def __init__(self, lane: Lane, link: Link, batch: list[Request]) -> None:
        self._lane = lane
        self._link = link
        self._batch = batch
        self._confirm = lane.confirm if lane.confirm and any(request.durable for request in batch) else None
        self._answers: list[list[Reply]] = []
        self._received: list[Reply] = []
        self._at = 0
        self.deadline = batch[0].deadline if len(batch) == 1 else min([request.deadline for request in batch])

    def seal(self) -> bytes:
        """Return all that goes over the wire."""
        batch = self._batch
        for request in batch:
            request.sent = True
        payload = batch[0].seal() if len(batch) == 1 else b"".join([request.seal() for request in batch])
        if self._confirm:
            payload += self._confirm[0]
        tally = self._lane.tally
        tally.round_trips += 1
        tally.sent_bytes += len(payload)
        return payload

    def take(self, reply: Reply) -> bool:
        """Give the next reply to whom it belongs; tell whether it was the last one."""
        batch, at = self._batch, self._at
        if at == len(batch):
            self._conclude(reply)
            return True
        request = batch[at]
        lead = request.lead
        if request.replies == 1 and not lead:
            if self._confirm is None and not isinstance(reply, ResponseError):
                # Nearly every reply.
                request.settle([reply])
                self._at = at = at + 1
                if at < len(batch):
                    return False
                self._lane.done(self._link)
                return True
            replies = [reply]
        else:
            received = self._received
            received.append(reply)
            if len(received) < request.replies + bool(lead):
                return False
            self._received = []
            replies = received[1:] if lead and not isinstance(received[0], ResponseError) else received
            request.lead = b""
        self._at = at + 1
        if self._confirm is not None:
            self._answers.append(replies)
            return False
        self._settle(request, replies)
        if self._at < len(batch):
            return False
        self._lane.done(self._link)
        return True

    def fail(self, error: BaseException) -> None:
        """Hand back all that has no answer yet: the connection broke."""
        for request in self._batch if self._confirm is not None else self._batch[self._at :]:
            request.lead = b""
            self._lane.failed(request, error)
        self._lane.done(None)

    def _conclude(self, reply: Reply) -> None:
        """Answer everyone, now that it is known whether the writes are confirmed."""
        assert self._confirm is not None
        refusal = self._confirm[1](reply)
        for request, replies in zip(self._batch, self._answers, strict=True):
            if refusal is not None and request.durable and first_error(replies) is None:
                request.conclude(replies, refusal)
            else:
                self._settle(request, replies)
        self._lane.done(self._link)

    def _settle(self, request: Request, replies: list[Reply]) -> None:
        error = first_error(replies)
        if error is None:
            request.settle(replies)
        elif isinstance(error, NoScriptError) and request.script is not None and request.loads < MAX_LOADS:
            request.loads += 1
            # Flushed, or a server that took over: load it and ask again, in one trip.
            request.lead = pack("SCRIPT", "LOAD", request.script.source)
            self._lane.submit(request)
        else:
            if is_read_only(error):
                self._lane.retire()
            self._lane.failed(request, error)
