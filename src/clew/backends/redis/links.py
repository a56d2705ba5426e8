"""One connection: redis-py opens it (address, TLS, user, database), and then its bytes come straight to a trip.

Below redis-py's streams there is no task to wake and no time-out to set for each reply, which is half of what a reply
costs. A link makes one trip at a time and is not opened twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError

from ...metering import Meters
from .faults import make_error

if TYPE_CHECKING:
    from .trips import Trip

_NOTHING: Final = object()
"""What the parser returns where no whole reply has come."""
_ROOM: Final = 1 << 20
"""Bytes that are read from the socket at once."""


class Link(asyncio.Protocol):
    """An open connection. Made by `open`.

    Args:
        writer: redis-py's stream, which would close its transport if nobody held it.
        lost: called when the connection has closed, whoever closed it.
    """

    def __init__(self, writer: asyncio.StreamWriter, lost: Callable[[Link], None]) -> None:
        self._writer = writer
        self._transport = writer.transport
        self.retired = False
        """Whether to close it after the trip it makes."""
        self._lost = lost
        self.tally = Meters()
        """Where its lane counts."""
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=ConnectionError, replyError=make_error, notEnoughData=_NOTHING)
        self._trip: Trip | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed = self._loop.create_future()
        self._transport.set_protocol(self)

    @classmethod
    async def open(cls, connection: AbstractConnection, lost: Callable[[Link], None]) -> Link:
        """Open a connection and take it over.

        Raises:
            RedisError, OSError: as redis-py raises them.
        """
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            # Given up half-way, it may be open already.
            await connection.disconnect(nowait=True)
            raise
        # redis-py has no public way to hand over an open socket. It must not close this one, nor warn that nobody did.
        held: Any = connection
        writer, held._writer, held._reader = held._writer, None, None
        return cls(writer, lost)

    def go(self, trip: Trip) -> None:
        """Send a trip's requests; its replies go to the trip."""
        self._trip = trip
        if self._watch is None:
            self._watch = self._loop.call_at(trip.deadline, self._look)
        self._transport.write(trip.seal())

    def close(self) -> None:
        """Close the connection, and do not wait."""
        self._transport.close()

    async def aclose(self) -> None:
        """Close the connection, and wait until it is."""
        self.close()
        await self._closed

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        reader = self._reader
        self.tally.received_bytes += len(data)
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _NOTHING:
                if self._trip is None:
                    raise ConnectionError("the server answered what nobody asked")
                trip = self._trip
                self._trip = None
                if not trip.take(reply):
                    self._trip = trip
        except ConnectionError as error:
            self._break(error)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._watch is not None:
            self._watch.cancel()
        if not self._closed.done():
            self._closed.set_result(None)
        self._lost(self)
        self._break(error or ConnectionError("Connection closed by server."))

    def _look(self) -> None:
        """See whether the answer is overdue. The watch goes on from trip to trip, since setting one for each costs more."""
        self._watch = None
        if self._trip is None:
            return
        if self._loop.time() >= self._trip.deadline:
            self._break(TimeoutError("no answer in time"))
        else:
            self._watch = self._loop.call_at(self._trip.deadline, self._look)

    def _break(self, error: BaseException) -> None:
        """Give up the connection: after a failure in the middle of a trip only a new one is sure to be in step."""
        self._transport.abort()
        trip, self._trip = self._trip, None
        if trip is not None:
            trip.fail(error)
