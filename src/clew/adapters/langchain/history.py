"""The history of a session: the messages of a clew thread, in order, appended and never rewritten.

    history = ClewChatMessageHistory(session_id, store, owner="ada", ttl=30 * 24 * 3600)

A message with an id is stored once, however often it is added. Where two come with one id and do not say the same, both stay.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Final

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol

from clew import Item, NewItem, Ref, Store
from clew.blocking import Connection
from clew.errors import GoneError, NotFoundError, UnavailableError
from clew.limits import MAX_PAGE, check_id

from .messages import SAFE, digest_of, own_id, read_message, same_message, write_message

logger = logging.getLogger("clew.adapters.langchain")

AT_ONCE: Final = 1_000
"""Messages that one commit appends."""
BYTES_AT_ONCE: Final = 32 * 1024 * 1024


class ClewChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session of one owner. Made anew for each call or kept: what is known is in the store.

    Every method raises UnavailableError where the store is away, and GoneError where the session's thread was deleted. The
    synchronous ones work anywhere; in a coroutine they hold up its event loop.
    """

    def __init__(
        self,
        session_id: str,
        store: Store | str,
        *,
        owner: str,
        ttl: float | None = None,
        sliding: bool = True,
        serde: SerializerProtocol | None = None,
    ) -> None:
        """Nothing is opened or made yet.

        Args:
            session_id: the thread's id.
            store: an open store, which stays the caller's to close; or a URL, which the process opens at the first call and
                shares among all histories, until one of them is closed or the process ends.
            owner: whose session it is: the same id of another owner is another session.
            ttl: seconds until a session that is made here vanishes; None keeps it.
            sliding: whether each write starts this time anew.
            serde: how messages are written. For None that of LangGraph, which then makes messages of langchain_core and what
                Python itself has, and imports no other class that the data names.

        Raises:
            InvalidError: a bad id, owner or URL.
        """
        super().__init__()
        self.session_id = check_id(session_id, "the session's id")
        self.owner = check_id(owner, "the owner")
        self.ttl = ttl
        self.sliding = sliding
        self._ref = Ref(owner, session_id)
        self._serde = SAFE if serde is None else serde
        self._connection = _connection_to(store)
        self._unsure: dict[int, tuple[BaseMessage, str]] = {}

    # -- asynchronous -------------------------------------------------------------------------------------------------

    async def aget_messages(self) -> list[BaseMessage]:
        """Return all messages, the oldest first; none for a session that is not there.

        Plain JSON with `role` and `content`, as other programs append it to a thread, is a message too. Other items are left
        out, and a warning is logged.

        Raises:
            UnreadableError: a message is damaged, or was encrypted with another key.
        """
        items = await self._read()
        found = [read_message(item, self._serde) for item in items]
        foreign = [item.codec for item, message in zip(items, found, strict=True) if message is None]
        if foreign:
            logger.warning(
                "session %r: %d items of other programs are left out (%s)", self.session_id, len(foreign), ", ".join(set(foreign))
            )
        return [message for message in found if message is not None]

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages, in order; up to a thousand (32 MiB) together or not at all. The session is made where it is not there.

        After an UnavailableError the same call may be repeated: nothing is stored twice, also of messages without an id, where
        they are the same objects.

        Raises:
            InvalidError: no message, one that cannot be written, or one of more than `limits.MAX_DATA_BYTES` bytes.
        """
        chosen = self._choose(messages)
        store = await self._connection.get()
        try:
            for batch in _batches([item for _, item in chosen]):
                # One whose id the thread holds is left as it is, and named.
                held = (await self._append(store, batch)).intersection(item.id for item in batch)
                others = await self._others(store, [(message, item) for message, item in chosen if item.id in held])
                if others:
                    await self._append(store, others)
        except UnavailableError:
            self._unsure |= {id(message): (message, item.id or "") for message, item in chosen if message.id is None}
            raise
        for message, _ in chosen:
            self._unsure.pop(id(message), None)

    async def aclear(self) -> None:
        """Remove all messages. The session stays, with its title and its time to live, and goes on with what is added."""
        store = await self._connection.get()
        try:
            await store.items.truncate(self._ref, 0)
        except GoneError:
            raise
        except NotFoundError:
            # There is nothing to remove.
            return

    # -- synchronous --------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base says attribute, and means either
        """As `aget_messages`, for callers that cannot await."""
        return self._connection.run(self.aget_messages())

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """As `aadd_messages`, for callers that cannot await."""
        self._connection.run(self.aadd_messages(messages))

    def clear(self) -> None:
        """As `aclear`, for callers that cannot await."""
        self._connection.run(self.aclear())

    # -- its life -----------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close what a URL opened, for all histories on it; a store that was given stays open."""
        _forget(self._connection)
        await self._connection.aclose()

    def close(self) -> None:
        """As `aclose`, for callers that cannot await."""
        _forget(self._connection)
        self._connection.close()

    # -- how ----------------------------------------------------------------------------------------------------------

    async def _read(self) -> list[Item]:
        store = await self._connection.get()
        found: list[Item] = []
        position = 0
        while True:
            page = await store.items.page(self._ref, after=position, limit=MAX_PAGE, missing_ok=True)
            found += page
            if not page.has_more:
                return found
            position = found[-1].position

    async def _append(self, store: Store, items: Sequence[NewItem]) -> frozenset[str]:
        done = await store.items.append(self._ref, items, create=True, ttl=self.ttl, sliding=self.sliding)
        return done.duplicates

    def _choose(self, messages: Sequence[BaseMessage]) -> list[tuple[BaseMessage, NewItem]]:
        """Return the messages with their items, each item's id once."""
        chosen: dict[str, tuple[BaseMessage, NewItem]] = {}
        for message in messages:
            unsure = self._unsure.get(id(message))
            item = write_message(message, self._serde, own_id(message) if unsure is None else unsure[1])
            if item.id in chosen:
                if digest_of(chosen[item.id][0]) == digest_of(message):
                    continue
                item = write_message(message, self._serde, _other_id(message, item))
            chosen[item.id or ""] = message, item
        return list(chosen.values())

    async def _others(self, store: Store, held: Sequence[tuple[BaseMessage, NewItem]]) -> list[NewItem]:
        """Return the messages whose ids the thread holds for something else, under ids of what they say."""
        mine = [(message, item.id) for message, item in held if item.id is not None and item.id == own_id(message)]
        stored = await asyncio.gather(*(self._get(store, id) for _, id in mine))
        return [
            write_message(message, self._serde, _other_id(message, item))
            for (message, _), item in zip(mine, stored, strict=True)
            if item is not None and not same_message(item, message, self._serde)
        ]

    async def _get(self, store: Store, id: str) -> Item | None:
        try:
            return await store.items.get(self._ref, id)
        except NotFoundError:
            # Removed just now.
            return None


def _other_id(message: BaseMessage, item: Item | NewItem) -> str | None:
    """Return an id that says what the message says; None where that is nobody's business."""
    return None if "+" in item.codec else digest_of(message)


def _batches(items: Sequence[NewItem]) -> list[list[NewItem]]:
    batches: list[list[NewItem]] = []
    size = 0
    for item in items:
        if not batches or len(batches[-1]) == AT_ONCE or size + len(item.data) > BYTES_AT_ONCE:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += len(item.data)
    return batches


_opened: dict[str, Connection] = {}
_opening = threading.Lock()


def _connection_to(store: Store | str) -> Connection:
    if not isinstance(store, str):
        return Connection(store)
    with _opening:
        if store not in _opened:
            _opened[store] = Connection(store)
        return _opened[store]


def _forget(connection: Connection) -> None:
    with _opening:
        for url in [url for url, each in _opened.items() if each is connection]:
            del _opened[url]
