"""One subscriber connection for all that an event loop listens to, or one a server where a cluster shards its channels.

What is heard is a hint, never the truth: a message may be lost at any time. So whoever listens is told each time that a
subscription was made anew, and looks for itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from ...errors import ClosedError, UnavailableError
from .client import Client
from .faults import is_denied, translate
from .requests import pack

PING_S: Final = 5.0
"""Seconds of silence after which the server is asked whether it is there; as long again without a word, and it is left."""

Ear: TypeAlias = Callable[[bytes | None], None]
"""Told each message, and None where some may have been missed: look at the log. Also called when the hub closes."""


class Hub:
    """Who listens to which channel, and over which line."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.closed = False
        self._channels: dict[bytes, Channel] = {}
        self._lines: dict[str, Line] = {}
        self._homeless: list[Channel] = []
        self._moving: asyncio.Task[None] | None = None

    def listen(self, channel: bytes, ear: Ear, *, sharded: bool = False) -> None:
        """Call `ear` for what is heard on a channel.

        Args:
            sharded: whether it is spoken to with SPUBLISH, on the server that holds its slot.
        """
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = Channel(channel, sharded)
            self._join(found)
        found.ears.add(ear)

    def leave(self, channel: bytes, ear: Ear) -> None:
        """Stop listening."""
        found = self._channels.get(channel)
        if found is None:
            return
        found.ears.discard(ear)
        if not found.ears:
            del self._channels[channel]
            if found.line is not None:
                found.line.leave(found)

    async def heard(self, channel: bytes, seconds: float) -> None:
        """Wait until the server has acknowledged the subscription to a channel that is listened to.

        Raises:
            UnavailableError: it did not within `seconds`.
            DeniedError: this user may not subscribe.
            ClosedError: the store was closed meanwhile.
        """
        found = self._channels[channel]
        try:
            async with asyncio.timeout(seconds):
                while not found.confirmed:
                    if self.closed:
                        raise ClosedError("this store was closed: connect again")
                    if found.refusal is not None:
                        raise translate(found.refusal, self.client.place)
                    found.news.clear()
                    await found.news.wait()
        except TimeoutError as error:
            raise UnavailableError(f"{self.client.place} cannot be reached to follow a thread: try again later") from error

    def move(self, channel: Channel) -> None:
        """Look for the server of a channel again, together with the others of this moment."""
        self._homeless.append(channel)
        if self._moving is None or self._moving.done():
            self._moving = self.client.loop.create_task(self._move(), name="clew-redis-channels")

    async def aclose(self) -> None:
        """Hang up, and tell everyone."""
        self.closed = True
        tasks = [line.task for line in self._lines.values()]
        if self._moving is not None:
            tasks.append(self._moving)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for channel in self._channels.values():
            channel.tell(None)

    def _join(self, channel: Channel) -> None:
        name = self.client.node_of(channel.name) if channel.sharded else ""
        line = self._lines.get(name)
        if line is None or line.task.done():
            line = self._lines[name] = Line(self, name)
        line.join(channel)

    async def _move(self) -> None:
        while self._homeless:
            await self.client.learn_slots()
            await asyncio.sleep(0.05 * random.uniform(0.5, 1.0))
            channels, self._homeless = self._homeless, []
            for channel in channels:
                if self._channels.get(channel.name) is channel and channel.line is None:
                    self._join(channel)


class Channel:
    """A channel, and who listens to it."""

    __slots__ = ("confirmed", "ears", "line", "name", "news", "refusal", "sharded")

    def __init__(self, name: bytes, sharded: bool) -> None:
        self.name = name
        self.sharded = sharded
        self.ears: set[Ear] = set()
        self.line: Line | None = None
        self.confirmed = False
        self.refusal: BaseException | None = None
        self.news = asyncio.Event()

    def tell(self, message: bytes | None) -> None:
        """Call every ear."""
        if message is None:
            self.news.set()
        # One that hears may leave, or let others leave.
        for ear in tuple(self.ears):
            ear(message)


class Line:
    """One connection that hears. One task owns it; what breaks is made anew, with every channel that has somebody's ear."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._refusal: BaseException | None = None
        self._hub = hub
        self._client = hub.client
        self._name = name
        self._channels: dict[bytes, Channel] = {}
        self._connection: AbstractConnection | None = None
        self._to_say: list[bytes] = []
        self._saying: asyncio.Task[None] | None = None
        self._heard = 0.0
        self.task = self._client.loop.create_task(self._own(), name="clew-redis-hub")

    def join(self, channel: Channel) -> None:
        """Subscribe to a channel."""
        channel.line = self
        self._channels[channel.name] = channel
        self._say(b"SSUBSCRIBE" if channel.sharded else b"SUBSCRIBE", channel.name)

    def leave(self, channel: Channel) -> None:
        """End a subscription."""
        channel.line = None
        if self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            self._say(b"SUNSUBSCRIBE" if channel.sharded else b"UNSUBSCRIBE", channel.name)

    def _hang_up(self, connection: AbstractConnection) -> None:
        """Break a connection; its owner makes another one. redis-py has no public way to do so that does not wait."""
        writer = getattr(connection, "_writer", None)
        if writer is not None:
            writer.transport.abort()

    def _say(self, *command: bytes) -> None:
        """Send a change with the others of this moment; a connection that is not up yet begins with all of them."""
        if self._connection is None or self._hub.closed:
            return
        self._to_say.append(pack(*command))
        if self._saying is None:
            self._saying = self._client.loop.create_task(self._speak(self._connection), name="clew-redis-subscribe")

    async def _speak(self, connection: AbstractConnection) -> None:
        try:
            while self._to_say and connection is self._connection:
                payload = b"".join(self._to_say)
                self._to_say.clear()
                await connection.send_packed_command(payload, check_health=False)
        except Exception:
            # The owner sees the same connection break, and subscribes to all of them again on the next one.
            self._hang_up(connection)
        finally:
            if self._saying is asyncio.current_task():
                self._saying = None

    async def _own(self) -> None:
        attempt = 0
        while self._channels and not self._hub.closed:
            connection: AbstractConnection | None = None
            try:
                connection = self._client.make_connection(self._name)
                async with asyncio.timeout(self._client.options.connect_timeout):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    self._begin(connection)
                    await self._subscribe_all(connection)
                await self._hear_all(connection)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Whatever broke it (redis-py raises several kinds here), the cure is a new connection.
                attempt = 0 if self._refusal is None and self._heard else min(attempt + 1, 6)
                self._refusal = error if is_denied(error) else None
            finally:
                self._connection = None
                self._heard = 0.0
                if connection is not None:
                    await connection.disconnect(nowait=True)
                if not self._hub.closed:
                    self._let_go(tuple(self._channels.values()))
            await asyncio.sleep(min(0.02 * 2**attempt, 1.0) * random.uniform(0.5, 1.0))

    def _begin(self, connection: AbstractConnection) -> None:
        """What was still to be said over an older connection is part of what is said first over this one."""
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None
        self._to_say.clear()
        self._connection = connection

    async def _subscribe_all(self, connection: AbstractConnection) -> None:
        shared = [name for name, channel in self._channels.items() if not channel.sharded]
        # Sharded channels of different slots are not named in one command.
        payload = b"".join(pack("SSUBSCRIBE", name) for name, channel in self._channels.items() if channel.sharded)
        if shared:
            payload += pack("SUBSCRIBE", *shared)
        if payload:
            await connection.send_packed_command(payload, check_health=False)

    async def _hear_all(self, connection: AbstractConnection) -> None:
        loop, read = self._client.loop, connection.read_response
        self._heard = loop.time()
        watch = loop.create_task(self._watch(connection), name="clew-redis-hub-watch")
        try:
            while True:
                message = await read()
                self._heard = loop.time()
                kind = message[0]
                if kind == b"message" or kind == b"smessage":
                    channel = self._channels.get(message[1])
                    if channel is not None:
                        channel.tell(message[2])
                elif kind != b"pong":
                    self._take_note(kind, message[1])
        finally:
            watch.cancel()

    async def _watch(self, connection: AbstractConnection) -> None:
        """Ask after a silence whether the server is there, and hang up where it says nothing: it may be gone without a word."""
        asked = 0.0
        while True:
            await asyncio.sleep(PING_S)
            if self._heard < asked:
                self._hang_up(connection)
                return
            asked = self._client.loop.time()
            with suppress(RedisError, OSError):
                await connection.send_packed_command(pack("PING"), check_health=False)

    def _take_note(self, kind: bytes, name: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        if kind == b"subscribe" or kind == b"ssubscribe":
            channel.confirmed = True
            channel.refusal = self._refusal = None
            channel.tell(None)
        elif kind == b"sunsubscribe":
            # Its slot has moved to another server.
            self._let_go([channel])

    def _let_go(self, channels: Sequence[Channel]) -> None:
        """The subscriptions of these are over: sharded ones are looked for on the server that has their slots now."""
        for channel in channels:
            channel.confirmed = False
            channel.refusal = self._refusal
            if channel.sharded:
                self._channels.pop(channel.name, None)
                channel.line = None
                self._hub.move(channel)
            channel.tell(None)
