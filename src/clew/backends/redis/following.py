"""Following a log: one connection per event loop hears the bells of every followed partition; the log is the truth.

A bell says only "look". A follower subscribes, waits for the acknowledgement, reads what is there, and reads again at each
bell, at each renewed subscription, and now and then for safety. So nothing is missed when the bell's connection breaks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from redis.asyncio.connection import AbstractConnection

from ...errors import ClosedError, UnavailableError
from ...limits import MAX_PAGE
from ...records import Entry, Partition
from .client import Client
from .faults import is_denied, translate
from .reading import ReadVerbs
from .trips import pack

SAFETY_S: Final = 10.0
"""How often a follower looks without a bell, in seconds, each time by chance up to a third earlier."""


class FollowVerbs(ReadVerbs):
    """Following."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]

    def _hub(self, client: Client) -> Hub:
        if "_hubs" not in self.__dict__:
            self._hubs = WeakKeyDictionary()
        hub = self._hubs.get(client.loop)
        if hub is None:
            hub = self._hubs[client.loop] = Hub(client)
        return hub

    async def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        keys = self._keys(partition)
        client = await self._client()
        if isinstance(after, str):
            after, _ = await self._positions(client, partition, keys, log, after, None)
        position = after or 0
        hub = self._hub(client)
        bell = hub.listen(keys.bell)
        try:
            await hub.heard(bell, self.options.timeout)
            while True:
                bell.rung.clear()
                more = True
                while more:
                    entries, more = await self.read(partition, log, after=position, limit=MAX_PAGE)
                    for entry in entries:
                        yield entry
                        position = entry.position
                await hub.ring(bell)
        finally:
            hub.leave(keys.bell, bell)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        hub = self.__dict__.get("_hubs", {}).pop(asyncio.get_running_loop(), None)
        if hub is not None:
            await hub.aclose()
        await super().aclose()


class Bell:
    """One follower's ear: set when there may be something new."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()


class Hub:
    """One subscriber connection, and who listens to which channel. One task owns the connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._bells: dict[bytes, set[Bell]] = {}
        self._confirmed: set[bytes] = set()
        self._moved = asyncio.Event()
        self._refusal: BaseException | None = None
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def listen(self, channel: bytes) -> Bell:
        """Return a bell that rings for this channel."""
        bell = Bell()
        bells = self._bells.setdefault(channel, set())
        bells.add(bell)
        if self._task is None or self._task.done():
            self._task = self._client.loop.create_task(self._own(), name="clew-redis-hub")
        elif len(bells) == 1:
            self._say("SUBSCRIBE", channel)
        return bell

    def leave(self, channel: bytes, bell: Bell) -> None:
        """Stop listening."""
        bells = self._bells.get(channel, set())
        bells.discard(bell)
        if not bells:
            self._bells.pop(channel, None)
            self._confirmed.discard(channel)
            self._say("UNSUBSCRIBE", channel)

    async def heard(self, bell: Bell, seconds: float) -> None:
        """Wait until the server has acknowledged the bell's subscription.

        Raises:
            UnavailableError: it did not within `seconds`.
            DeniedError: this user may not subscribe.
            ClosedError: the store was closed meanwhile.
        """
        channel = next(channel for channel, bells in self._bells.items() if bell in bells)
        try:
            async with asyncio.timeout(seconds):
                while channel not in self._confirmed:
                    if self._closed:
                        raise ClosedError("this store was closed: connect again")
                    if self._refusal is not None:
                        raise translate(self._refusal, self._client.place)
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError as error:
            raise UnavailableError(f"{self._client.place} cannot be reached to follow a thread: try again later") from error

    async def ring(self, bell: Bell) -> None:
        """Wait for the bell, or for the time to look anyway.

        Raises:
            ClosedError: the store was closed meanwhile.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(SAFETY_S * random.uniform(0.67, 1.0)):
                if not self._closed:
                    await bell.rung.wait()
        if self._closed:
            raise ClosedError("this store was closed: connect again")

    async def aclose(self) -> None:
        """Hang up."""
        self._closed = True
        self._moved.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _say(self, verb: str, channel: bytes) -> None:
        """Send a subscription change without waiting; a connection that is not up sends them all when it is."""
        connection = self._connection
        if connection is not None and not self._closed:
            task = self._client.loop.create_task(self._send(connection, verb, channel))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, connection: AbstractConnection, verb: str, *channels: bytes) -> None:
        try:
            await connection.send_packed_command(pack(verb, *channels), check_health=False)
        except Exception:
            # The owner sees the same connection break, and subscribes to all of them again on the next one.
            await connection.disconnect(nowait=True)

    @property
    def _sending(self) -> set[asyncio.Task[None]]:
        return self.__dict__.setdefault("_sends", set())  # type: ignore[no-any-return]

    async def _own(self) -> None:
        attempt = 0
        while not self._closed:
            connection = self._client.make_connection()
            try:
                async with asyncio.timeout(self._client.options.connect_timeout):
                    await connection.connect()  # type: ignore[no-untyped-call]
                self._connection = connection
                if self._bells:
                    await self._send(connection, "SUBSCRIBE", *self._bells)
                while True:
                    self._hear(await connection.read_response())
                    attempt = 0
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Whatever broke it (redis-py raises several kinds here), the cure is a new connection.
                attempt = min(attempt + 1, 6)
                self._refusal = error if is_denied(error) else None
                self._moved.set()
            finally:
                self._connection = None
                self._confirmed.clear()
                await connection.disconnect()
                for bells in self._bells.values():
                    for bell in bells:
                        bell.rung.set()
            await asyncio.sleep(min(0.02 * 2**attempt, 1.0) * random.uniform(0.5, 1.0))

    def _hear(self, message: list[bytes]) -> None:
        kind, channel = message[0], message[1]
        if kind == b"subscribe":
            self._confirmed.add(channel)
            self._refusal = None
            self._moved.set()
        for bell in self._bells.get(channel, ()):
            bell.rung.set()
