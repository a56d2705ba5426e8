"""RedisExecutionCache: what came of the executions of flows, by id and by session and flow. It fails as the sessions do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from ... import Store
from ...errors import InvalidError
from ...limits import MAX_DATA_BYTES, check_id
from ...model import JSON
from ...store import Values
from .config import EXECUTION_TTL_S, KEY_PREFIX, SESSION_TTL_S, RedisConfig, choose_url, key_prefix_of
from .document import Document, check_entry, compose, decode, split, ttl_ms_in
from .exact import encode_entries
from .execution import EXECUTIONS, Execution, history_id, line_of, newest_of_each, read_execution, write_execution
from .journal import MOST_TRIES, add_entries, busy, replace_as_read, ttl_in
from .keeper import Keeper, Kept
from .outcome import Ids, Loaded, Outcome
from .saving import check_seconds
from .schema import NAME, UNVERSIONED, VERSION, Schema, Steps

AS_IT_IS: Final[Steps] = {UNVERSIONED: (VERSION, dict), "1.0": (VERSION, dict)}
"""Results and histories have not changed since."""
_SPECIAL: Final = re.compile(r"([*?\[\]\\^-])")


class RedisExecutionCache(Kept):
    """Results under `<key_prefix>[:<environment>]:execution:<id>`, histories under `...:history:<session_id>:<flow_id>`.

    Safe to share by all tasks. The store is chosen and opened as by RedisSessionManager.

    Args:
        enabled: False: nothing is stored or asked, and every call says `disabled`.
        ttl_seconds: how long a result stays; None for ever.
        host, port, db, password, key_prefix, environment, url, store: as for RedisSessionManager.
        history_ttl_seconds: how long a history stays after its newest line; None for ever.

    Raises:
        InvalidError: a setting that cannot be used.
    """

    def __init__(
        self,
        enabled: bool = True,
        ttl_seconds: float | None = EXECUTION_TTL_S,
        host: str | None = None,
        port: int | None = None,
        db: int | None = None,
        password: str | None = None,
        key_prefix: str = KEY_PREFIX,
        *,
        environment: str | None = None,
        url: str | None = None,
        store: Store | None = None,
        history_ttl_seconds: float | None = SESSION_TTL_S,
    ) -> None:
        chosen = None if store is not None else choose_url(url, host=host, port=port, db=db, password=password)
        if ttl_seconds is not None:
            check_seconds(ttl_seconds)
        self._keeper = Keeper(enabled=enabled, url=chosen, store=store, prefix=key_prefix_of(key_prefix, environment))
        self._history_ttl_ms = 0 if history_ttl_seconds is None else check_seconds(history_ttl_seconds)
        self._schema = Schema(steps=AS_IT_IS)
        self.ttl_seconds = ttl_seconds
        self.key_prefix = key_prefix

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> RedisExecutionCache:
        """Return a cache that does as the environment says (RedisConfig); InvalidError where that cannot be used."""
        found = RedisConfig.from_env(environ)
        same = {name: found[name] for name in ("enabled", "key_prefix", "environment", "url")}
        return cls(ttl_seconds=found["execution_ttl"], history_ttl_seconds=found["session_ttl"], **same)

    # -- results --------------------------------------------------------------------------------------------------

    async def cache_result(
        self,
        execution_id: str,
        result: dict[str, JSON],
        *,
        session_id: str | None = None,
        flow_id: str | None = None,
        status: str = "completed",
        ttl_seconds: float | None = None,
    ) -> Outcome:
        """Store what came of an execution, whatever was stored of it before, and note it in its session's history of the flow.

        One call of the store, and one more with `session_id` and `flow_id`. It is safe to repeat.

        Args:
            result: a JSON object; datetimes too.
            session_id, flow_id: where it ran: both or none.
            status: a word, as FlowStatus has them; a later call may give another.
            ttl_seconds: this result's own time; None for the cache's.

        Returns:
            `saved` where the result and its line are stored, or why not.
        """

        async def save(values: Values) -> Outcome:
            check_id(execution_id, "the execution's id")
            if (session_id is None) != (flow_id is None):
                raise InvalidError("an execution belongs to a session and a flow: give both session_id and flow_id, or none")
            name = None if session_id is None or flow_id is None else history_id(session_id, flow_id)
            word = status.value if isinstance(status, Enum) else check_id(status, "the status")
            execution = Execution(execution_id, result, word, session_id, flow_id, datetime.now(UTC))
            ttl = self.ttl_seconds if ttl_seconds is None else ttl_seconds
            await values.put_data(f"execution:{execution_id}", write_execution(execution), ttl=ttl)
            if name is not None:
                await self._add_line(values, name, execution)
            return Outcome("saved")

        return await self._keeper.change(save, "caching the execution", execution_id)

    async def get_result(self, execution_id: str) -> dict[str, JSON] | None:
        """Return what came of an execution, None where there is nothing that can be loaded: `fetch_execution` says why."""
        found = (await self.fetch_execution(execution_id)).value
        return None if found is None else found.result

    async def fetch_execution(self, execution_id: str) -> Loaded[Execution]:
        """Load an execution with its status, session and flow: `found`, or why not. One call of the store."""

        async def load(values: Values) -> Execution | None:
            raw = await values.get_data(f"execution:{check_id(execution_id, 'the execution id')}")
            return None if raw is None else read_execution(execution_id, raw, self._schema)

        return await self._keeper.look(load, "loading the execution", execution_id)

    async def delete_result(self, execution_id: str) -> Outcome:
        """Delete a result; its line in the history stays."""

        async def delete(values: Values) -> Outcome:
            key = f"execution:{check_id(execution_id, 'the execution id')}"
            return Outcome("deleted" if await values.delete(key) else "missing")

        return await self._keeper.change(delete, "deleting the execution", execution_id)

    # -- histories ------------------------------------------------------------------------------------------------

    async def cache_flow_history(self, session_id: str, flow_id: str, executions: list[dict[str, JSON]]) -> Outcome:
        """Store a history of a session and flow, whatever was stored of it before. `cache_result` adds to it line by line."""

        async def save(values: Values) -> Outcome:
            name = history_id(session_id, flow_id)
            if not isinstance(executions, list):
                raise InvalidError(f"the executions are a list, not {type(executions).__name__}")
            raw = self._write(self._head(name), [check_entry(each) for each in executions])
            await values.put_data(f"history:{name}", raw, ttl=ttl_in(raw))
            return Outcome("saved")

        return await self._keeper.change(save, "caching the history", f"{session_id}:{flow_id}")

    async def get_flow_history(self, session_id: str, flow_id: str) -> list[dict[str, JSON]]:
        """Return the lines of a session and flow, the oldest first; none where there are none: `fetch_flow_history` says why."""
        return (await self.fetch_flow_history(session_id, flow_id)).value or []

    async def fetch_flow_history(self, session_id: str, flow_id: str) -> Loaded[list[dict[str, JSON]]]:
        """Load the lines of a session and flow: of each execution `execution_id`, its newest `status`, and `cached_at`."""

        async def load(values: Values) -> list[dict[str, JSON]] | None:
            name = history_id(session_id, flow_id)
            raw = await values.get_data(f"history:{name}")
            return None if raw is None else newest_of_each(self._read(raw, name).entries)

        return await self._keeper.look(load, "loading the history", f"{session_id}:{flow_id}")

    async def list_flows(self, session_id: str, *, limit: int = 10_000, cursor: str | None = None) -> Ids:
        """Return the flows that a session has a history of; see RedisSessionManager.list_sessions."""
        start = f"history:{session_id}:"
        found = await self._keeper.list(_SPECIAL.sub(r"\\\1", start) + "*", limit, cursor)
        flows = [name.removeprefix(start) for name in found]
        # With a colon it is of another session, whose id begins with this one's.
        return Ids([flow for flow in flows if ":" not in flow], status=found.status, cursor=found.cursor, error=found.error)

    async def list_executions(self, session_id: str, flow_id: str | None = None) -> Ids:
        """Return the ids of the executions of a session, of all its flows where none is named, the newest last."""
        flows = await self.list_flows(session_id) if flow_id is None else Ids([flow_id])
        found: list[dict[str, JSON]] = []
        for flow in flows:
            lines = await self.fetch_flow_history(session_id, flow)
            if lines.status not in ("found", "missing"):
                return Ids(_ids_in(found), status=lines.status, error=lines.error)
            # What another tool wrote may be no object.
            found += [line for line in lines.value or () if isinstance(line, dict)]
        return Ids(_ids_in(found), status=flows.status, cursor=flows.cursor, error=flows.error)

    async def _add_line(self, values: Values, name: str, execution: Execution) -> None:
        line = line_of(execution)
        encoded = encode_entries([line], "a line")[0][1:-1]
        key = f"history:{name}"

        def rewrite(raw: bytes) -> bytes:
            document = self._read(raw, name)
            return self._write(document.head, [*document.entries, line], document.seal)

        for _ in range(MOST_TRIES):
            try:
                done = await add_entries(values, key, EXECUTIONS, encoded, rewrite)
            except InvalidError:
                if not await self._halve(values, key, name):
                    raise
                continue
            if done is not None:
                return
            raw = self._write(self._head(name), [line])
            if (await values.put_data(key, raw, ttl=ttl_in(raw), when=None))[0]:
                return
        raise busy(key)

    async def _halve(self, values: Values, key: str, name: str) -> bool:
        """Leave the older half of a full history out; tell whether it was full."""
        raw = await values.get_data(key)
        if raw is None or len(raw) < MAX_DATA_BYTES // 2:
            return False
        document = self._read(raw, name)
        lines = document.entries[len(document.entries) // 2 :]
        await replace_as_read(values, key, raw, self._write(document.head, lines, document.seal))
        return len(document.entries) > 1

    def _head(self, name: str) -> dict[str, JSON]:
        session_id, _, flow_id = name.rpartition(":")
        now = datetime.now(UTC).isoformat()
        return {NAME: VERSION, "session_id": session_id, "flow_id": flow_id, "cached_at": now}

    def _read(self, raw: bytes, name: str) -> Document:
        what = f"the history {name!r}"
        return split(self._schema.migrate(decode(raw, what), what), EXECUTIONS, raw, what)

    def _write(self, head: dict[str, JSON], lines: list[JSON], seal: bytes | None = None) -> bytes:
        ttl_ms = self._history_ttl_ms if seal is None else ttl_ms_in(seal)
        return compose(head, EXECUTIONS, lines, ttl_ms, "the history").raw


def _ids_in(lines: list[dict[str, JSON]]) -> dict[str, None]:
    """Return the ids of the executions that lines are of, each once, the newest last; a line that says no time is the oldest."""
    in_order = sorted(lines, key=lambda line: str(line.get("cached_at") or ""))
    return dict.fromkeys(line["execution_id"] for line in in_order if isinstance(line.get("execution_id"), str))
