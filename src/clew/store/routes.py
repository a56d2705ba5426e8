"""Routes: from a conversation in another system to a session, as plain text under a literal key. Each verb is one atomic step."""

from __future__ import annotations

from collections.abc import Callable

from ..backend import Backend
from ..backend import Values as ValuesPower
from ..errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from ..ids import new_id
from ..limits import MAX_ID_BYTES, check_id
from ..model import Resolved
from .checks import need_values, ttl_ms_of
from .values import check_prefix, name_of


class Routes:
    """The verbs for routes whose keys start with a prefix. Made by `Store.routes`."""

    def __init__(self, backend: Backend, prefix: str) -> None:
        if prefix == "":
            raise InvalidError("routes need a prefix, as 'bot:conv:', so that no conversation id is another program's key")
        self._backend = backend
        self.prefix = check_prefix(prefix)

    async def get(self, conversation: str) -> str | None:
        """Return the session the conversation leads to, None where there is no route.

        Raises:
            UnreadableError: what is stored is no text.
        """
        name = self._name(conversation)
        data = await self._power().get_value(name)
        return None if data is None else _decode(name, data)

    async def set(self, conversation: str, session_id: str, *, ttl: float | None = None) -> None:
        """Lead the conversation to a session, wherever it led before.

        Args:
            session_id: at most `limits.MAX_ID_BYTES` bytes.
            ttl: seconds until the route vanishes; None keeps it for ever.
        """
        await self._power().put_value(self._name(conversation), _encode(session_id), ttl_ms=_ttl_ms(ttl))

    async def resolve(self, conversation: str, make: Callable[[], str] | None = None, *, ttl: float | None = None) -> Resolved:
        """Return the session the conversation leads to; where it leads nowhere yet, make the route. Of many callers one makes it.

        One call. With `make` it is one where the route is there, and two where it is not.

        Args:
            make: returns the new session's id. It may be called in vain, where another caller is first. An id of 128 bits is
                made for None.
            ttl: seconds until a new route vanishes; None keeps it for ever. A route that is there keeps its time.
        """
        name = self._name(conversation)
        ttl_ms = _ttl_ms(ttl)
        power = self._power()
        if make is not None:
            data = await power.get_value(name)
            if data is not None:
                return Resolved(_decode(name, data), created=False)
        session_id = new_id() if make is None else make()
        _, stored = await power.put_value(name, _encode(session_id), ttl_ms=ttl_ms, when=None)
        # What was there before tells, and not "written": a call that was repeated after a lost answer finds its own route.
        if stored is None or stored == session_id.encode():
            return Resolved(session_id, created=True)
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
        left = await power.value_ttl(name)
        ttl_ms = None if left is None or left < 0 else max(left, 1)
        written, stored = await power.put_value(name, new, ttl_ms=ttl_ms, when=old)
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
            return (await power.put_value(name, None))[1] is not None
        written, stored = await power.put_value(name, None, when=_encode(expect))
        if not written and stored is not None:
            _refuse(name, conversation, expect, stored)
        return written

    def _name(self, conversation: str) -> str:
        return name_of(self.prefix, conversation, "the conversation's id")

    def _power(self) -> ValuesPower:
        return need_values(self._backend)


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
