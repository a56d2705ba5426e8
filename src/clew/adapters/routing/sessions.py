"""The agent's sessions, as routing needs them: whether one is there, and a new one. Here, those that are threads of clew."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ... import NewItem, Ref, Store
from ...errors import NotFoundError
from ...ids import new_thread_id


@runtime_checkable
class Sessions(Protocol):
    """What a ConversationStore asks of whoever keeps the sessions."""

    async def exists(self, session_id: str) -> bool:
        """Tell whether the session is there. Raise where that cannot be found out: an error never means "gone"."""
        ...

    async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
        """Make a session and return its id.

        Args:
            summary: what it carries of the session before it; None for an empty one.
            previous: that session, which stays readable.
        """
        ...

    async def discard(self, session_id: str) -> None:
        """Delete a session that was made just now, since another instance was first."""
        ...


class ThreadSessions:
    """Sessions that are threads of clew.

    Args:
        store: an open store.
        owner: whose they are.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    async def exists(self, session_id: str) -> bool:
        """See Sessions.exists."""
        try:
            await self._store.threads.get(Ref(self._owner, session_id))
        except NotFoundError:
            return False
        return True

    async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
        """See Sessions.create. A summary is the first item: a message of the author `system`."""
        metadata = {"conversation_id": conversation_id} | ({} if previous is None else {"compacted_from": previous})
        if summary is None:
            return (await self._store.threads.create(self._owner, metadata=metadata)).id
        thread = Ref(self._owner, new_thread_id())
        item = NewItem.json({"role": "system", "content": summary}, author="system")
        await self._store.items.append(thread, item, create=True, metadata=metadata)
        return thread.id

    async def discard(self, session_id: str) -> None:
        """See Sessions.discard."""
        await self._store.threads.delete(Ref(self._owner, session_id))
