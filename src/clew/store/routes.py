"""Routes: from a conversation in another system to a session, as plain text under a literal key. Each verb is one atomic step.

With an index there are more steps, in an order in which no conversation is ever missing from it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..backend import Backend
from ..backend import Values as ValuesPower
from ..errors import ConflictError, InvalidError, NotFoundError, UnavailableError, UnreadableError
from ..ids import new_id
from ..limits import MAX_ID_BYTES, check_id
from ..model import Resolved
from .checks import need_collecting, need_values, ttl_ms_of
from .route_index import RouteIndex
from .values import check_prefix, name_of


class Routes:
    """The verbs for routes whose keys start with a prefix. Made by `Store.routes`."""

    def __init__(self, backend: Backend, prefix: str, *, index: str | None = None, ttl: float | None = None) -> None:
        if prefix == "":
            raise InvalidError("routes need a prefix, as 'bot:conv:', so that no conversation id is another program's key")
        self._backend = backend
        self._values: ValuesPower | None = None
        self.prefix = check_prefix(prefix)
        self._ttl_ms = _ttl_ms(ttl)
        if index == "" or index == prefix:
            raise InvalidError("the index needs a prefix of its own, as 'bot:session:', so that its keys are no routes")
        self._index = None if index is None else RouteIndex(lambda: need_collecting(backend), check_prefix(index), self._ttl_ms)

    async def get(self, conversation: str) -> str | None:
        """Return the session the conversation leads to, None where there is no route. One call, which starts a sliding time anew.

        Raises:
            UnreadableError: what is stored is no text.
        """
        name = self._name(conversation)
        data = await self._power().get_value(name, touch_ms=self._ttl_ms)
        if data is None:
            return None
        session_id = _decode(name, data)
        if self._index is not None:
            await self._index.keep(session_id, conversation)
        return session_id

    async def exists(self, conversation: str) -> bool:
        """Tell whether the conversation leads anywhere. It starts no time anew."""
        return await self._power().value_ttl(self._name(conversation)) is not None

    async def set(self, conversation: str, session_id: str, *, ttl: float | None = None) -> None:
        """Lead the conversation to a session, wherever it led before.

        Args:
            session_id: at most `limits.MAX_ID_BYTES` bytes.
            ttl: seconds until the route vanishes; None keeps it for ever.
        """
        name, data, ttl_ms = self._name(conversation), _encode(session_id), self._choose_ttl(ttl)
        power = self._power()
        if self._index is None:
            await power.put_value(name, data, ttl_ms=ttl_ms)
            return
        await self._index.add(session_id, conversation)
        _, stored = await power.put_value(name, data, ttl_ms=ttl_ms)
        # Again, where a deletion of the same route took the line away between the two.
        await self._index.add(session_id, conversation)
        if stored is not None and stored != data:
            await self._unlist(stored, conversation)

    async def resolve(self, conversation: str, make: Callable[[], str] | None = None, *, ttl: float | None = None) -> Resolved:
        """Return the session the conversation leads to; where it leads nowhere yet, make the route. Of many callers one makes it.

        One call. With `make` it is one where the route is there, and two where it is not. With a sliding time or an index it is
        the same as with `make`, and a new route costs a call more for the index.

        Args:
            make: returns the new session's id. It may be called in vain, where another caller is first. An id of 128 bits is
                made for None.
            ttl: seconds until a new route vanishes; None keeps it for ever. A route that is there keeps its time.
        """
        name, ttl_ms = self._name(conversation), self._choose_ttl(ttl)
        if make is not None or self._index is not None or self._ttl_ms is not None:
            found = await self.get(conversation)
            if found is not None:
                return Resolved(found, created=False)
        session_id = new_id() if make is None else make()
        data = _encode(session_id)
        if self._index is not None:
            await self._index.add(session_id, conversation)
        _, stored = await self._power().put_value(name, data, ttl_ms=ttl_ms, when=None)
        # What was there before tells, and not "written": a call that was repeated after a lost answer finds its own route.
        if stored is None or stored == data:
            return Resolved(session_id, created=True)
        if self._index is not None:
            await self._unlist(data, conversation)
        return Resolved(_decode(name, stored), created=False)

    async def rebind(self, conversation: str, *, expect: str, to: str) -> None:
        """Lead the conversation to another session, if it still leads to `expect`. A route that vanishes keeps its time.

        Raises:
            ConflictError: it leads elsewhere (`actual`); nothing was written.
            NotFoundError: it leads nowhere.
        """
        name = self._name(conversation)
        old, new = _encode(expect), _encode(to)
        power = self._power()
        if self._index is not None:
            await self._index.add(to, conversation)
        ttl_ms = self._ttl_ms
        if ttl_ms is None:
            left = await power.value_ttl(name)
            ttl_ms = None if left is None or left < 0 else max(left, 1)
        written, stored = await power.put_value(name, new, ttl_ms=ttl_ms, when=old)
        if self._index is not None and old != new:
            await self._unlist(old if written else new, conversation)
        if not written:
            _refuse(name, conversation, expect, stored)

    async def delete(self, conversation: str, *, expect: str | None = None) -> bool:
        """Delete the route; tell whether there was one.

        Args:
            expect: the session it must lead to.

        Raises:
            ConflictError: it leads elsewhere (`actual`); nothing was deleted.
        """
        name = self._name(conversation)
        power = self._power()
        if expect is None:
            written, stored = await power.put_value(name, None)
        else:
            written, stored = await power.put_value(name, None, when=_encode(expect))
        if not written and expect is not None and stored is not None:
            _refuse(name, conversation, expect, stored)
        deleted = written and stored is not None
        if deleted and stored is not None and self._index is not None:
            await self._unlist(stored, conversation)
        return deleted

    async def conversations(self, session_id: str) -> list[str]:
        """Return the conversations that lead to a session now, as these verbs led them there, in the order of their ids.

        Raises:
            InvalidError: these routes have no index.
        """
        if self._index is None:
            raise InvalidError("these routes have no index: give routes() one, as index='bot:session:'")
        _encode(session_id)
        return await self._index.list(session_id, self._look)

    async def _look(self, conversation: str) -> str | None:
        """Return where it leads, and start no time anew."""
        data = await self._power().get_value(self._name(conversation))
        return None if data is None else data.decode(errors="replace")

    async def _unlist(self, session: bytes, conversation: str) -> None:
        assert self._index is not None
        # It is done already, and an idle line does no harm: it is left out when the index is read.
        with suppress(UnavailableError, UnicodeDecodeError):
            await self._index.remove(session.decode(), conversation, self._look)

    def _choose_ttl(self, ttl: float | None) -> int | None:
        if ttl is not None and self._ttl_ms is not None:
            raise InvalidError("these routes have a time to live of their own: leave ttl out")
        return self._ttl_ms if ttl is None else _ttl_ms(ttl)

    def _name(self, conversation: str) -> str:
        return name_of(self.prefix, conversation, "the conversation's id")

    def _power(self) -> ValuesPower:
        # Asked once: to see whether an object has a protocol's methods costs as much as half a round trip.
        if self._values is None:
            self._values = need_values(self._backend)
        return self._values


def _refuse(name: str, conversation: str, expect: str, stored: bytes | None) -> None:
    if stored is None:
        raise NotFoundError(f"there is no route for the conversation {conversation!r}")
    actual = _decode(name, stored)
    raise ConflictError(f"the conversation {conversation!r} leads to {actual!r}, not {expect!r}", expected=expect, actual=actual)


def _encode(session_id: str) -> bytes:
    return check_id(session_id, "the session id", most=MAX_ID_BYTES).encode()


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise UnreadableError(f"the route under {name!r} is not text") from e


def _ttl_ms(ttl: float | None) -> int | None:
    return None if ttl is None else ttl_ms_of(ttl)
