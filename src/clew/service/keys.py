"""API keys for machines: made once, shown once, and kept on the clew store as a hash. Whoever has the store cannot make one up.

A key is `clew_<id>_<secret>`. Its record is a thread of an owner that nobody can be, so a revoked key is gone at once for all
workers but for what they remember: `FRESH_S`, and `AWAY_S` while the store is away.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .. import Page, Ref, Store, Thread
from ..errors import InvalidError, NotFoundError, UnavailableError, UnreadableError
from ..limits import check_id
from ..model import JSON
from .identity import RESERVED, Identity, UnauthorizedError, check_name, check_teams
from .refusals import BusyError

OWNER: Final = f"{RESERVED}keys"
"""The owner of the records."""
PREFIX: Final = "clew_"
FRESH_S: Final = 5.0
"""How long a worker does not ask again about a key that held."""
AWAY_S: Final = 900.0
"""How long a key that held goes on while the store is away."""
REMEMBERED: Final = 10_000
MOST_ASKED: Final = 32
"""How many keys that did not hold before a worker asks the store about at once: anybody can make some up."""
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: not the key.

    Attributes:
        id: to name it by, as in `clew keys revoke`.
        name: what it is for.
        user, teams: who it speaks for.
        is_system: whether it may write the system's volume.
        created_at, expires_at: by the store's clock; None where it does not expire.
    """

    id: str
    name: str
    user: str
    teams: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    is_system: bool = False


async def create_key(
    store: Store, name: str, user: str, *, teams: Sequence[str] = (), system: bool = False, ttl: float | None = None
) -> tuple[ApiKey, str]:
    """Make a key, and return what is known of it and the key itself, which nobody can read again.

    Args:
        name: what it is for; for people.
        user: whom it speaks for: their threads are its.
        teams: the teams it is in.
        system: whether it may write the system's volume.
        ttl: seconds until it expires; None: it does not.

    Raises:
        InvalidError: a name that cannot be one.
        UnavailableError, FullError: it could not be written; there is no key then.
    """
    check_id(name, "the key's name", most=256)
    record: dict[str, JSON] = {"user": check_name(user, "the user"), "teams": list(check_teams(teams, "the teams"))}
    if system:
        record["system"] = True
    id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(32)
    made = await store.threads.create(
        OWNER, id=id, title=name, metadata={**record, "digest": _digest(secret)}, ttl=ttl, sliding=False
    )
    return _read(made)[0], f"{PREFIX}{id}_{secret}"


async def list_keys(store: Store) -> AsyncIterator[ApiKey]:
    """Yield all keys, the newest first; UnreadableError where one cannot be read."""
    cursor: str | None = None
    while True:
        page: Page[Thread] = await store.threads.list(OWNER, limit=100, cursor=cursor)
        for each in page:
            yield _read(each)[0]
        if not page.has_more:
            return
        cursor = page.cursor


async def revoke_key(store: Store, id: str) -> bool:
    """Take a key back, for good, and tell whether it was there."""
    return await store.threads.delete(Ref(OWNER, id))


class Keys:
    """Verifies keys, and remembers those that held for a moment."""

    def __init__(self, store: Callable[[], Store], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Identity]] = {}
        self._strange = 0

    async def identify(self, token: str) -> Identity:
        """Return whom a key speaks for.

        Raises:
            UnauthorizedError: it is not known, was revoked, or has expired.
            UnavailableError: the store is away, and this key was not seen a short while ago.
            BusyError: the store is being asked about as many strange keys as it is at once.
        """
        digest = _digest(token)
        held_at, held = self._held.get(digest, (float("-inf"), None))
        if held is not None and self._clock() - held_at < FRESH_S:
            return held
        try:
            identity = await self._ask_once(token, digest, is_strange=held is None)
        except UnavailableError:
            if held is not None and self._clock() - held_at < AWAY_S:
                return held
            raise
        except UnauthorizedError:
            self._held.pop(digest, None)
            raise
        self._held[digest] = (self._clock(), identity)
        self._held.move_to_end(digest)
        if len(self._held) > REMEMBERED:
            self._held.popitem(last=False)
        return identity

    async def _ask_once(self, token: str, digest: str, *, is_strange: bool) -> Identity:
        """Ask about a key, together with whoever is asking about the same one."""
        asked = self._asked.get(digest)
        if asked is None:
            check_form(token)
            if is_strange and self._strange >= MOST_ASKED:
                raise BusyError("too many API keys that are not known yet are asked about at once")
            self._strange += is_strange
            asked = self._asked[digest] = asyncio.create_task(self._ask(token), name="clew-key")

            def end(task: asyncio.Task[Identity]) -> None:
                del self._asked[digest]
                self._strange -= is_strange
                # Whoever asked may have left.
                if not task.cancelled():
                    task.exception()

            asked.add_done_callback(end)
        return await asyncio.shield(asked)

    async def _ask(self, token: str) -> Identity:
        id, secret = check_form(token)
        try:
            key, digest = _read(await self._store().threads.get(Ref(OWNER, id)))
        except NotFoundError as error:
            raise UnauthorizedError("the API key is not known, or not any more") from error
        if not hmac.compare_digest(digest, _digest(secret)):
            raise UnauthorizedError("the API key is not known, or not any more")
        return Identity(key.user, key.teams, "key", key.id, key.is_system)


def check_form(token: str) -> tuple[str, str]:
    """Return the id and the secret that a key is made of; UnauthorizedError where it cannot be one."""
    id, _, secret = token.removeprefix(PREFIX).partition("_")
    if len(id) != 2 * _ID_BYTES or not id.isalnum() or not secret:
        raise UnauthorizedError("this is no API key")
    return id, secret


def _digest(secret: str) -> str:
    # A slow hash would only protect what can be guessed; 256 random bits cannot.
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _read(thread: Thread) -> tuple[ApiKey, str]:
    try:
        user = check_name(thread.metadata.get("user"), "the user")
        teams = check_teams(thread.metadata.get("teams"), "the teams")
        digest = check_name(thread.metadata.get("digest"), "the digest")
        system = thread.metadata.get("system", False)
        if not isinstance(system, bool):
            raise InvalidError("system must be true or false")
    except InvalidError as error:
        raise UnreadableError(f"the record of the API key {thread.id!r} cannot be read: {error}") from error
    return ApiKey(thread.id, thread.title or "", user, teams, thread.created_at, thread.expires_at, system), digest
