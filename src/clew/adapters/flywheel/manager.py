"""RedisSessionManager: workflow sessions that outlive the process, by the names, signatures and keys of the founding system.

Nothing is raised into a tool. What could not be saved is never reported as saved, and a store that was away is used again by
itself when it is back. With `on_outage=journal` a write waits in a file meanwhile, and is told as `pending`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from ... import Store
from ...errors import ClewError, InvalidError, UnavailableError
from ...limits import check_id
from ...model import JSON
from ...store import Values
from ...wrappers.journal import take_options
from .config import KEY_PREFIX, SESSION_TTL_S, RedisConfig, choose_url, key_prefix_of
from .document import check_entry
from .exact import encode_entries
from .fields import HISTORY
from .journal import add_entries
from .keeper import Keeper, Kept
from .outcome import Ids, Loaded, Outcome, Status, status_of
from .saving import Saver, check_seconds
from .schema import Schema, Steps
from .session import UniversalSession
from .turns import Turns
from .waiting import Waiting


class RedisSessionManager(Kept):
    """Saves, loads, lists and deletes sessions, under `<key_prefix>[:<environment>]:session:<id>`. Safe to share by all tasks.

    The store is opened at the first call: the one of `url` or `store`, else of host, port, db and password, else the one that
    the environment names (CLEW_URL, REDIS_URL, REDIS_HOST), else `redis://localhost:6379/0`.

    Args:
        enabled: False: nothing is stored or asked, and every call says `disabled`.
        ttl_seconds: how long a session stays after it was written to last; None for ever.
        host, port, db, password: where Redis is.
        key_prefix: how every key begins.
        environment: a word after the prefix, as `prod`, where several deployments share a server.
        url: the store's URL, instead of host, port, db and password; with `on_outage=journal` and `journal=` as a store has them.
        store: an open store to work on, which `close` leaves open.
        schema_version: the version of an application's own documents; None for clew's.
        migrations: by the version that a step begins at: the version it leads to, and the function that changes a document.

    Raises:
        InvalidError: a setting that cannot be used.
    """

    def __init__(
        self,
        enabled: bool = True,
        ttl_seconds: float | None = SESSION_TTL_S,
        host: str | None = None,
        port: int | None = None,
        db: int | None = None,
        password: str | None = None,
        key_prefix: str = KEY_PREFIX,
        *,
        environment: str | None = None,
        url: str | None = None,
        store: Store | None = None,
        schema_version: str | None = None,
        migrations: Steps | None = None,
    ) -> None:
        chosen = None if store is not None else choose_url(url, host=host, port=port, db=db, password=password)
        chosen, options = (None, None) if chosen is None else take_options(chosen)
        prefix = key_prefix_of(key_prefix, environment) + "session:"
        self._keeper = Keeper(enabled=enabled, url=chosen, store=store, prefix=prefix)
        self._saver = Saver(Schema(schema_version, migrations), 0 if ttl_seconds is None else check_seconds(ttl_seconds))
        self.ttl_seconds = ttl_seconds
        self.key_prefix = key_prefix
        self._turns = Turns()
        self._waiting: Waiting | None = None
        if options is not None and enabled:
            self._waiting = Waiting(options, f"{self._keeper.place} {prefix}", self._saver, self._keeper.ask)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> RedisSessionManager:
        """Return a manager that does as the environment says (RedisConfig); InvalidError where that cannot be used."""
        found = RedisConfig.from_env(environ)
        return cls(**{name: found[name] for name in ("enabled", "ttl_seconds", "key_prefix", "environment", "url")})

    async def save_session(
        self, session: UniversalSession, ttl_seconds: float | None = None, *, overwrite: bool = False
    ) -> Outcome:
        """Save a session whole, and let its time to live begin anew. One call of the store.

        Where others wrote since it was loaded, what both added is kept: their entries of the history before the new ones, fields
        that one of the two changed, the sum of what both counted; and the session has it then too. What both changed differently
        is a conflict, and nothing is written. A session that has run out or was deleted meanwhile is stored again.

        Args:
            ttl_seconds: a time of this session's own from now on; it is noted on the session.
            overwrite: write it whatever is stored.

        Returns:
            `saved`; `pending` where it waits in a journal; or why not: `disabled`, `unavailable`, `conflict`, `unreadable`,
            `refused`.
        """

        async def save(values: Values) -> Outcome:
            if not isinstance(session, UniversalSession):
                raise InvalidError(f"a session is a UniversalSession, not {type(session).__name__}")
            if ttl_seconds is not None:
                check_seconds(ttl_seconds)
                session.ttl_seconds = ttl_seconds
            async with self._turns.of(session.id):
                return await self._saver.save(values, session, overwrite=overwrite)

        async def accept(waiting: Waiting) -> None:
            async with self._turns.of(session.id):
                await self._accept(waiting, session, overwrite=overwrite, present=False)

        return await self._outlast(session, save, "saving the session", accept, repeats=True)

    async def load_session(self, session_id: str) -> UniversalSession | None:
        """Return a session, None where there is none that can be loaded: `fetch_session` says why."""
        return (await self.fetch_session(session_id)).value

    async def fetch_session(self, session_id: str) -> Loaded[UniversalSession]:
        """Load a session. One call of the store.

        Returns:
            `found`, with the session as its value, or why not: `missing`, `disabled`, `unavailable`, `unreadable`, `refused`.
        """

        async def load(values: Values) -> UniversalSession | None:
            raw = await values.get_data(session_id)
            return None if raw is None else self._saver.load(raw, f"the session {session_id!r}")

        error = await self._unsettled(session_id)
        return await self._keeper.look(load, "loading the session", session_id) if error is None else Loaded(None, *error)

    async def append_history(self, session: UniversalSession | str, *entries: dict[str, JSON]) -> Outcome:
        """Add entries to a session's history, and let its time to live begin anew. One call, whatever the history's length.

        The rest of the session is neither read nor written, so of two workers that add at once neither loses anything.

        Args:
            session: the session, whose own history gets the entries too; one that was never saved is saved whole. Or its id.
            entries: JSON objects, as `{"role": "user", "content": "Hello"}`.

        Returns:
            `saved`; `pending` where it waits in a journal; or why not: `missing` where there is no such session (any more),
            `disabled`, `unavailable`, `refused`.
        """

        async def append(values: Values) -> Outcome:
            if not entries:
                raise InvalidError("append_history needs an entry: give at least one")
            more = [check_entry(entry) for entry in entries]
            if not isinstance(session, UniversalSession):
                return await self._append(values, check_id(session, "the session's id"), more, None)
            async with self._turns.of(session.id):
                return await self._append(values, session.id, more, session)

        async def accept(waiting: Waiting) -> None:
            more = [check_entry(entry) for entry in entries]
            if not isinstance(session, UniversalSession):
                return await waiting.append(session, encode_entries(more, "an entry")[0][1:-1])
            async with self._turns.of(session.id):
                session.history.extend(more)
                try:
                    await self._accept(waiting, session, overwrite=False, present=_is_saved(session))
                except BaseException:
                    _take_back(session, more)
                    raise

        # Of what may have been added already nobody could tell later whether it was.
        return await self._outlast(session, append, "adding to the session", accept, repeats=False)

    async def delete_session(self, session_id: str) -> Outcome:
        """Delete a session: `deleted`, `missing` where there was none, `disabled`, `unavailable`. It never waits in a journal."""

        async def delete(values: Values) -> Outcome:
            return Outcome("deleted" if await values.delete(session_id) else "missing")

        error = await self._unsettled(session_id)
        return await self._keeper.change(delete, "deleting the session", session_id) if error is None else Outcome(*error)

    async def list_sessions(self, pattern: str = "*", *, limit: int = 10_000, cursor: str | None = None) -> Ids:
        """Return the ids of sessions that match a glob, each once, in no order that is promised.

        The store is asked in small parts, which hold nobody up. A list ends after the part in which it reaches `limit`, or has
        looked at about a million keys; then its `cursor` is set, to go on with. A session that is there throughout is in it.

        Args:
            pattern: `*`, `?`, `[ab]`, and a backslash before what is meant literally.
            limit: after how many it ends.
            cursor: another list's `cursor`, to go on after it.
        """
        return await self._keeper.list(pattern, limit, cursor)

    @property
    def waiting(self) -> int:
        """How many writes wait in the journal; 0 where there is none."""
        return 0 if self._waiting is None else self._waiting.depth

    async def close(self) -> None:
        """Finish what was sent, and close what was opened. What waits in a journal stays there, for the next to open it."""
        if self._waiting is not None:
            await self._waiting.aclose()
        await super().close()

    async def _outlast(
        self,
        session: UniversalSession | str,
        verb: Callable[[Values], Awaitable[Outcome]],
        doing: str,
        accept: Callable[[Waiting], Awaitable[None]],
        *,
        repeats: bool,
    ) -> Outcome:
        """Do a write, or accept it while the store is away, and behind what waits.

        Args:
            repeats: it may be accepted also where nobody knows whether it was done.
        """
        waiting, key = self._waiting, session.id if isinstance(session, UniversalSession) else session
        if waiting is None or not isinstance(key, str):
            return await self._keeper.change(verb, doing, session)
        try:
            await waiting.open()
            if not waiting.has(key):
                done = await self._keeper.change(verb, doing, session)
                is_lost = isinstance(done.error, UnavailableError) and done.error.lost
                if done.status != "unavailable" or (is_lost and not repeats):
                    return done
            await accept(waiting)
        except ClewError as error:
            return Outcome(status_of(error), error)
        return Outcome("pending")

    async def _accept(self, waiting: Waiting, session: UniversalSession, *, overwrite: bool, present: bool) -> None:
        raw = self._saver.write(session).raw
        session._origin = await waiting.save(session.id, raw, session._origin, overwrite=overwrite, present=present)

    async def _unsettled(self, session_id: str) -> tuple[Status, ClewError] | None:
        """Wait for what is on its way to a session; return why it cannot be looked at, None where it can."""
        if self._waiting is not None:
            try:
                await self._waiting.open()
                await self._waiting.settled(session_id)
            except ClewError as error:
                return status_of(error), error
        return None

    async def _append(
        self, values: Values, session_id: str, more: list[dict[str, JSON]], session: UniversalSession | None
    ) -> Outcome:
        encoded = encode_entries(more, "an entry")[0][1:-1]
        what = f"the session {session_id!r}"
        origin = None if session is None else session._origin
        if session is not None and not _is_saved(session):
            return await self._save_with(values, session, more)
        if session is not None and origin is not None and origin.accepted is not None:
            # What waited is stored by now, together with what others did: only a save looks at all of it.
            return (
                Outcome("missing") if await values.get_data(session_id) is None else await self._save_with(values, session, more)
            )
        done = await add_entries(values, session_id, HISTORY, encoded, lambda raw: self._saver.rewrite(raw, more, what))
        if done is None:
            return Outcome("missing")
        if session is not None and origin is not None:
            before, after = done
            session.history.extend(more)
            stale = origin.stale or before is None or before != origin.seal
            session._origin = replace(origin, seal=after, appended=(origin.appended, encoded), stale=stale)
        return Outcome("saved")

    async def _save_with(self, values: Values, session: UniversalSession, more: list[dict[str, JSON]]) -> Outcome:
        """Save a session for the first time, with these entries; where that fails its history is as before."""
        session.history.extend(more)
        try:
            return await self._saver.save(values, session, overwrite=False)
        except BaseException:
            _take_back(session, more)
            raise


def _is_saved(session: UniversalSession) -> bool:
    """Tell whether a session was stored, or may have been, or will be."""
    origin = session._origin
    return origin is not None and (origin.is_stored or origin.attempt is not None)


def _take_back(session: UniversalSession, more: list[dict[str, JSON]]) -> None:
    session.history[:] = [entry for entry in session.history if not any(entry is each for each in more)]
