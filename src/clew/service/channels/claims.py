"""A request that may come twice: the session that took it first, and the ids of its message and run, made from its key."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from ... import Ref
from ...errors import ConflictError, NotFoundError, ReusedTokenError
from ...texts import item_text
from .sessions import ChatSessions
from .talks import Place
from .views import Ask

ONCE_S: Final = 24 * 3600.0
"""How long a request that comes again with the same Idempotency-Key is known."""


class Claim:
    """A request's claim on a session. Whoever comes with the same key finds the same session, run and message."""

    def __init__(self, place: Place, prefix: str, ask: Ask, once: str) -> None:
        self._place = place
        self._ask = ask
        self._digest = blake2b(repr((ask.owner, ask.route, once)).encode(), digest_size=16).hexdigest()
        self._routes = place.store.routes(prefix)
        self._name = f"{ask.route}/{self._digest}"

    @property
    def message_id(self) -> str:
        """The id of the person's message."""
        return f"msg_{self._digest}"

    def run_id(self, number: int) -> str:
        """Return the id of the run of an attempt, which are counted from 0."""
        return f"run_{self._digest}_{number + 1}" if number else f"run_{self._digest}"

    async def find(self, sessions: ChatSessions) -> Ref | None:
        """Return the session that took the request, None where none did, or it does not exist any more."""
        found = await self._routes.get(self._name)
        return None if found is None or not await sessions.exists(found) else Ref(self._ask.owner, found)

    async def take(self, ref: Ref) -> Ref:
        """Claim a session for the request, and return the one that has it: another one, where another worker was quicker."""
        taken = (await self._routes.resolve(self._name, lambda: ref.id, ttl=ONCE_S)).session_id
        if taken == ref.id or await ChatSessions(self._place.store, self._ask).exists(taken):
            return Ref(self._ask.owner, taken)
        try:
            await self._routes.rebind(self._name, expect=taken, to=ref.id)
        except ConflictError as error:
            return Ref(self._ask.owner, str(error.actual))
        except NotFoundError:
            return await self.take(ref)
        return ref

    async def is_stored(self, ref: Ref) -> bool:
        """Tell whether the person's message is in a session; ReusedTokenError where another one came with this key."""
        try:
            found = await self._place.store.items.get(ref, self.message_id)
        except NotFoundError:
            return False
        if found.unreadable is None:
            check_same(item_text(found), self._ask.message)
        return True


def check_same(said: str, message: str) -> None:
    """Raise ReusedTokenError where a message that comes with a known key is not the one that came with it first."""
    if said != message:
        raise ReusedTokenError("this key was another message's: give each one a key of its own")
