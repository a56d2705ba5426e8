"""ClewEventStore: the events of the SDK's streamable HTTP, for the protocol until 2025-11-25, which can resume a stream.

Each session has a scope of its own: what is in another is not reached, whatever id a client sends. The SDK's interface does not
name the session, and two sessions number their requests alike. `ScopedSessionManager` tells them apart; fastmcp does by itself.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import msgspec
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.types import JSONRPCMessage, jsonrpc_message_adapter

from ... import Store
from ...backend import Expiry
from ...codec import pack_id
from ...errors import ClewError, InvalidError, UnavailableError, UnknownCursorError
from ...ids import new_id
from ...limits import MAX_PAGE, check_limit
from ...records import FORMAT, Append, Change, Entry, Partition, Trim
from ...store import Gate
from ...store.checks import ttl_ms_of

logger = logging.getLogger("clew.mcp")

OWNER: Final = "clew:mcp"
LOG: Final = "events"
KEEP: Final = 10_000
"""Events of a session that are kept, where nothing else is said."""
TTL_S: Final = 3_600.0
CODEC: Final = "mcp.event/1"
MOST_SESSIONS: Final = 10_000
"""Sessions of fastmcp that a process remembers, as many as the SDK lets a server have."""
_SESSION: Final = re.compile(r"([1-9][0-9]{0,2}):")
"""How fastmcp begins the id of a stream: with the length of the session's name, and then that name and a colon."""


class ClewEventStore(EventStore):
    """Events of the sessions of a server, each session's in order in one partition of a store. An append is one trip.

    Give it to `streamable_http_app`, `ScopedSessionManager` or fastmcp's `http_app`. As it is made it is shared by sessions,
    and `scoped` gives the part of one.

    An event that the store could not take has no id: the client gets it, and does not come back for it with a cursor that would
    skip it. A replay that would leave something out raises instead, which ends the stream.
    """

    def __init__(
        self, store: Store, *, owner: str = OWNER, scope: str | None = None, keep: int = KEEP, ttl: float = TTL_S
    ) -> None:
        """Write nothing yet.

        Args:
            owner: whose events these are, for the store: one for a server.
            scope: the session's name, for the events of that one only; None for what is shared by the sessions of a server.
            keep: how many of the newest events stay, from 1 to 1,000,000.
            ttl: seconds that they stay after the newest one.
        """
        check_limit(keep, most=1_000_000)
        self._ttl_ms = ttl_ms_of(ttl)
        self._store = store
        self._keep = keep
        self._ttl = ttl
        self._owner = owner
        self._gate = Gate(store.reach, "the store of the events", "mcp")
        self._sessions: OrderedDict[str, ClewEventStore] | None = OrderedDict() if scope is None else None
        self._partition = Partition(owner, "shared" if scope is None else scope)
        self._tag = _tag_of(self._partition.name)
        self._writer = new_id()[-12:]
        self._count = 0
        self._has_expiry = False
        self._trim_at = keep + _slack(keep)

    def scoped(self, scope: str | None = None) -> ClewEventStore:
        """Return a store of the same kind for one session; of a new name for None."""
        made = ClewEventStore(
            self._store, owner=self._owner, scope=new_id() if scope is None else scope, keep=self._keep, ttl=self._ttl
        )
        # They have one store, so they know together whether it is there.
        made._gate = self._gate
        return made

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep an event, and return its id; an empty one where it could not be kept.

        Args:
            message: None for an event that only gives a client its first id: it is not replayed.

        Raises:
            InvalidError: this store is shared by sessions, and the stream's id names none.
        """
        if self._sessions is not None:
            return await self._session_of(stream_id, self._sessions).store_event(stream_id, message)
        # Counted before anything can fail, so that a replay sees what is missing.
        self._count += 1
        id = f"{self._writer}-{self._count}"
        text = None if message is None else message.model_dump_json(by_alias=True, exclude_unset=True)
        data = msgspec.json.encode((stream_id, text))
        entry = Entry(FORMAT, pack_id(id), int(time.time() * 1000), data, "event", CODEC)
        changes: list[Change] = [Append(LOG, entry, fresh=True)]
        try:
            # While the store is away nobody waits for its time-out at each event.
            self._gate.check()
            done = await self._store.backend.commit(self._partition, changes)
            await self._tend(done.outcomes[0])
        except UnavailableError as error:
            self._gate.note(error, in_part=self._store.fails_in_part)
            return ""
        except ClewError as error:
            logger.warning("an event was not kept, so its stream cannot be resumed after it: %s", error)
            return ""
        return f"{self._tag}.{id}"

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        """Send the events of the same stream that came after one, in order, and return the stream's id.

        Returns None for an id that is not of this scope, or not known any more: nothing is sent.

        Raises:
            UnknownCursorError: an event between them was not kept.
            UnavailableError: the store is away.
        """
        tag, _, id = last_event_id.partition(".")
        if self._sessions is not None:
            session = self._sessions.get(tag)
            return None if session is None else await session.replay_events_after(last_event_id, send_callback)
        if tag != self._tag or not id:
            return None
        backend = self._store.backend
        try:
            page = await backend.read(self._partition, LOG, after=id, limit=1, inclusive=True)
        except (UnknownCursorError, InvalidError):
            return None
        if not page.entries or page.entries[0].id != id:
            return None
        stream, _ = _read(page.entries[0])
        seen = dict([_split(id)])
        after = page.entries[0].position
        while True:
            page = await backend.read(self._partition, LOG, after=after, limit=MAX_PAGE)
            for entry in page.entries:
                after = entry.position
                writer, number = _split(entry.id)
                if seen.get(writer, number - 1) != number - 1:
                    raise UnknownCursorError("an event after this one was not kept: the client has to begin anew")
                seen[writer] = number
                of, message = _read(entry)
                if of == stream and message is not None:
                    await send_callback(EventMessage(message, f"{self._tag}.{entry.id}"))
            if not page.has_more:
                return stream

    def _session_of(self, stream_id: StreamId, sessions: OrderedDict[str, ClewEventStore]) -> ClewEventStore:
        found = _SESSION.match(stream_id)
        end = found.end() + int(found[1]) if found else 0
        if found is None or stream_id[end : end + 1] != ":":
            raise InvalidError(
                "this event store is shared by sessions, and the SDK does not say whose stream this is: serve with "
                "clew.adapters.mcp.streamable_http_app or ScopedSessionManager, or use .scoped() for one session"
            )
        scope = stream_id[found.end() : end]
        tag = _tag_of(scope)
        session = sessions.get(tag)
        if session is None:
            session = sessions[tag] = self.scoped(scope)
            if len(sessions) > MOST_SESSIONS:
                sessions.popitem(last=False)
        sessions.move_to_end(tag)
        return session

    async def _tend(self, position: int) -> None:
        """Let the events vanish in time, and leave the oldest out now and then."""
        backend = self._store.backend
        # A scope that was silent for longer than it lasts begins anew, at 1.
        if (position == 1 or not self._has_expiry) and isinstance(backend, Expiry):
            self._has_expiry = await backend.expire(self._partition, self._ttl_ms, kind="sliding")
        if position >= self._trim_at:
            self._trim_at = position + _slack(self._keep)
            await backend.commit(self._partition, [Trim(LOG, position - self._keep + 1)])


def _tag_of(scope: str) -> str:
    return blake2b(scope.encode(), digest_size=16).hexdigest()


def _slack(keep: int) -> int:
    return max(16, keep // 8)


def _split(id: str) -> tuple[str, int]:
    writer, _, number = id.rpartition("-")
    return writer, int(number)


def _read(entry: Entry) -> tuple[StreamId, JSONRPCMessage | None]:
    stream, text = msgspec.json.decode(entry.data, type=tuple[str, str | None])
    return stream, None if text is None else jsonrpc_message_adapter.validate_json(text, by_name=False)
