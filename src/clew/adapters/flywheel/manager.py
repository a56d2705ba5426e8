"""RedisSessionManager: workflow sessions that outlive the process, by the names, signatures and keys of the founding system.

Nothing is raised into a tool. What could not be saved is never reported as saved, and a store that was away is used again by
itself when it is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ... import Store
from ...errors import InvalidError
from ...limits import check_id
from ...model import JSON
from ...store import Values
from .config import KEY_PREFIX, SESSION_TTL_S, RedisConfig, choose_url, key_prefix_of
from .document import check_entry
from .exact import encode_entries
from .fields import HISTORY
from .journal import add_entries
from .keeper import Keeper, Kept
from .outcome import Ids, Loaded, Outcome
from .saving import Saver, check_seconds
from .schema import Schema, Steps
from .session import UniversalSession
from .turns import Turns


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
        url: the store's URL, instead of host, port, db and password.
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
        prefix = key_prefix_of(key_prefix, environment) + "session:"
        self._keeper = Keeper(enabled=enabled, url=chosen, store=store, prefix=prefix)
        self._saver = Saver(Schema(schema_version, migrations), 0 if ttl_seconds is None else check_seconds(ttl_seconds))
        self.ttl_seconds = ttl_seconds
        self.key_prefix = key_prefix
        self._turns = Turns()

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
            `saved`, or why not: `disabled`, `unavailable`, `conflict`, `unreadable`, `refused`.
        """

        async def save(values: Values) -> Outcome:
            if not isinstance(session, UniversalSession):
                raise InvalidError(f"a session is a UniversalSession, not {type(session).__name__}")
            if ttl_seconds is not None:
                check_seconds(ttl_seconds)
                session.ttl_seconds = ttl_seconds
            async with self._turns.of(session.id):
                return await self._saver.save(values, session, overwrite=overwrite)

        return await self._keeper.change(save, "saving the session", session)

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

        return await self._keeper.look(load, "loading the session", session_id)

    async def append_history(self, session: UniversalSession | str, *entries: dict[str, JSON]) -> Outcome:
        """Add entries to a session's history, and let its time to live begin anew. One call, whatever the history's length.

        The rest of the session is neither read nor written, so of two workers that add at once neither loses anything.

        Args:
            session: the session, whose own history gets the entries too; one that was never saved is saved whole. Or its id.
            entries: JSON objects, as `{"role": "user", "content": "Hello"}`.

        Returns:
            `saved`, or why not: `missing` where there is no such session (any more), `disabled`, `unavailable`, `refused`.
        """

        async def append(values: Values) -> Outcome:
            if not entries:
                raise InvalidError("append_history needs an entry: give at least one")
            more = [check_entry(entry) for entry in entries]
            if not isinstance(session, UniversalSession):
                return await self._append(values, check_id(session, "the session's id"), more, None)
            async with self._turns.of(session.id):
                return await self._append(values, session.id, more, session)

        return await self._keeper.change(append, "adding to the session", session)

    async def delete_session(self, session_id: str) -> Outcome:
        """Delete a session: `deleted`, `missing` where there was none, `disabled`, `unavailable`."""

        async def delete(values: Values) -> Outcome:
            return Outcome("deleted" if await values.delete(session_id) else "missing")

        return await self._keeper.change(delete, "deleting the session", session_id)

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

    async def _append(
        self, values: Values, session_id: str, more: list[dict[str, JSON]], session: UniversalSession | None
    ) -> Outcome:
        encoded = encode_entries(more, "an entry")[0][1:-1]
        what = f"the session {session_id!r}"
        origin = None if session is None else session._origin
        if session is not None and (origin is None or (not origin.is_stored and origin.attempt is None)):
            return await self._save_with(values, session, more)
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
            session.history[:] = [entry for entry in session.history if not any(entry is each for each in more)]
            raise
