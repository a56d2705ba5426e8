"""The tools for workflow sessions and execution results: system 2's state, under the keys that its other tools read.

Of two clients that save one session at once neither loses anything: what both changed differently is a conflict, which is told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..adapters.flywheel import (
    BackendType,
    FlowStatus,
    Loaded,
    Outcome,
    RedisExecutionCache,
    RedisSessionManager,
    UniversalSession,
)
from ..errors import InvalidError, NotFoundError, UnavailableError
from .desk import Desk
from .tool import Id, Tool
from .views import MOST_TEXT, MOST_TEXTS

PREFIX: Final = "agentic_flywheel"
MOST_CONTEXT: Final = 20_000
"""Characters of a session's context in one answer, as JSON, and of its metadata."""
MOST_RESULTS: Final = 500

SessionId = Annotated[Id, Meta(description="The session's id.")]
ExecutionId = Annotated[Id, Meta(description="The execution's id.")]
Cursor = Annotated[str | None, Meta(description="The cursor of the page before.")]
Ttl = Annotated[float | None, Meta(description="Seconds it stays, counted from each write.")]


class Save(msgspec.Struct, forbid_unknown_fields=True):
    session: SessionId
    backend: Annotated[Id | UnsetType, Meta(description="What runs the flows: flowise, langflow, custom or another.")] = UNSET
    backend_session_id: Annotated[Id | UnsetType | None, Meta(description="What that one calls it.")] = UNSET
    status: Annotated[Id | UnsetType, Meta(description="As pending, running, completed, failed, active or idle.")] = UNSET
    current_flow_id: Annotated[Id | UnsetType | None, Meta(description="The flow that it is in.")] = UNSET
    context: Annotated[dict[str, Any], Meta(description="The names to set; null removes one, the others stay.")] = {}
    metadata: Annotated[dict[str, Any], Meta(description="Likewise.")] = {}
    history: Annotated[list[dict[str, Any]], Meta(max_length=100, description="Entries to add at the end.")] = []
    ttl: Ttl = None


class AppendHistory(msgspec.Struct, forbid_unknown_fields=True):
    session: SessionId
    entries: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=100, description="JSON objects.")]


class Resume(msgspec.Struct, forbid_unknown_fields=True):
    session: SessionId
    limit: Annotated[int, Meta(ge=1, le=200, description="How many entries of the history at most, the newest ones.")] = 20
    skip: Annotated[int, Meta(ge=0, description="How many of the newest entries to leave out, to see older ones.")] = 0
    names: Annotated[list[str] | None, Meta(description="Only these names of the context.")] = None


class ListSessions(msgspec.Struct, forbid_unknown_fields=True):
    pattern: Annotated[str, Meta(min_length=1, max_length=512, description="A glob: `*`, `?`, `[ab]`.")] = "*"
    limit: Annotated[int, Meta(ge=1, le=500, description="About how many at most.")] = 100
    cursor: Cursor = None


class DropSession(msgspec.Struct, forbid_unknown_fields=True):
    session: SessionId


class SaveResult(msgspec.Struct, forbid_unknown_fields=True):
    execution: ExecutionId
    result: Annotated[dict[str, Any], Meta(description="A JSON object.")]
    status: Annotated[Id, Meta(description="As completed or failed.")] = "completed"
    session: Annotated[Id | None, Meta(description="The session that it ran in; with `flow`.")] = None
    flow: Annotated[Id | None, Meta(description="The flow that it ran in; with `session`.")] = None
    ttl: Annotated[float | None, Meta(description="Seconds it stays; an hour otherwise.")] = None


class FetchResult(msgspec.Struct, forbid_unknown_fields=True):
    execution: ExecutionId
    offset: Annotated[int, Meta(ge=0, description="The next_offset of the part before.")] = 0


class ListResults(msgspec.Struct, forbid_unknown_fields=True):
    session: SessionId
    flow: Annotated[Id | None, Meta(description="Only those of this flow.")] = None


class Saved(msgspec.Struct):
    session: str
    merged: Annotated[bool, Meta(description="Others had written meanwhile, and what they wrote was kept.")] = False


class Session(msgspec.Struct, omit_defaults=True):
    """A workflow session."""

    id: str
    backend: str
    backend_session_id: str | None
    status: str
    current_flow_id: str | None
    context: dict[str, Any]
    metadata: dict[str, Any]
    history: Annotated[
        list[dict[str, Any]], Meta(description="The newest entries, oldest first; `cut` is the beginning of a long one.")
    ]
    history_length: int
    older: Annotated[int, Meta(description="How many older entries there are: ask again with `skip`.")] = 0
    left_out: Annotated[list[str], Meta(description="Names that do not fit: ask with `names`.")] = []
    left_out_more: Annotated[int, Meta(description="How many names more do not fit, and are not named.")] = 0


class Sessions(msgspec.Struct):
    sessions: list[str]
    has_more: bool
    cursor: str | None


class Dropped(msgspec.Struct):
    dropped: Annotated[bool, Meta(description="Whether it was there.")]


class SavedResult(msgspec.Struct):
    execution: str


class Result(msgspec.Struct, omit_defaults=True):
    """What came of an execution."""

    execution: str
    status: str | None
    session: str | None
    flow: str | None
    result: Annotated[Any, Meta(description="The JSON object; a long one comes as text.")] = None
    result_text: Annotated[str | None, Meta(description="A part of the object's JSON.")] = None
    next_offset: Annotated[int | None, Meta(description="Pass it as `offset` to get the next part.")] = None


class Results(msgspec.Struct):
    executions: Annotated[list[str], Meta(description="The newest last.")]
    has_more: Annotated[bool, Meta(description="There are others, that are not in this list.")]


async def save(desk: Desk, given: Save) -> Saved:
    """Make a session, or change what is given of it."""
    async with _sessions(desk) as manager:
        found = await manager.fetch_session(given.session)
        session = found.value
        if found.status == "missing":
            session = UniversalSession(given.session, BackendType.CUSTOM, None, FlowStatus.ACTIVE)
        if session is None:
            raise _error(found)
        for name in ("backend", "backend_session_id", "status", "current_flow_id"):
            value = getattr(given, name)
            if value is not UNSET:
                setattr(session, name, value)
        _set(session.context, given.context)
        _set(session.metadata, given.metadata)
        session.history.extend(given.history)
        session.updated_at = datetime.now(UTC)
        done = await manager.save_session(session, ttl_seconds=given.ttl)
    if not done:
        raise _error(done)
    return Saved(given.session, done.merged)


async def append_history(desk: Desk, given: AppendHistory) -> Saved:
    """Add entries to a session's history."""
    async with _sessions(desk) as manager:
        done = await manager.append_history(given.session, *given.entries)
    if not done:
        raise _error(done, f"there is no workflow session {given.session!r}")
    return Saved(given.session)


async def resume(desk: Desk, given: Resume) -> Session:
    """Return a session with the newest entries of its history."""
    async with _sessions(desk) as manager:
        found = await manager.fetch_session(given.session)
    session = found.value
    if session is None:
        raise _error(found, f"there is no workflow session {given.session!r}")
    end = max(0, len(session.history) - given.skip)
    entries = _newest(session.history[max(0, end - given.limit) : end])
    wanted = {name: value for name, value in session.context.items() if given.names is None or name in given.names}
    context, metadata = _fitting(wanted), _fitting(session.metadata)
    missing = [name for name in wanted if name not in context]
    missing += [f"metadata.{name}" for name in session.metadata if name not in metadata]
    named = _fitting(dict.fromkeys(missing))
    return Session(
        session.id,
        str(session.backend),
        session.backend_session_id,
        str(session.status),
        session.current_flow_id,
        context,
        metadata,
        entries,
        len(session.history),
        end - len(entries),
        list(named),
        len(missing) - len(named),
    )


async def list_sessions(desk: Desk, given: ListSessions) -> Sessions:
    """Return the ids of sessions."""
    start = f"{PREFIX}:session:"
    keys, cursor = await desk.shelf.list(start + given.pattern, given.limit, given.cursor)
    return Sessions([key.removeprefix(start) for key in keys], cursor is not None, cursor)


async def drop_session(desk: Desk, given: DropSession) -> Dropped:
    """Delete a session."""
    async with _sessions(desk) as manager:
        done = await manager.delete_session(given.session)
    if not done and done.status != "missing":
        raise _error(done)
    return Dropped(bool(done))


async def save_result(desk: Desk, given: SaveResult) -> SavedResult:
    """Store what came of an execution."""
    async with _executions(desk) as cache:
        done = await cache.cache_result(
            given.execution,
            given.result,
            session_id=given.session,
            flow_id=given.flow,
            status=given.status,
            ttl_seconds=given.ttl,
        )
    if not done:
        raise _error(done)
    return SavedResult(given.execution)


async def fetch_result(desk: Desk, given: FetchResult) -> Result:
    """Return what came of an execution."""
    async with _executions(desk) as cache:
        found = await cache.fetch_execution(given.execution)
    execution = found.value
    if execution is None:
        raise _error(found, f"there is no result of the execution {given.execution!r}")
    answer = Result(execution.execution_id, execution.status, execution.session_id, execution.flow_id)
    text = msgspec.json.encode(execution.result).decode()
    if len(text) <= MOST_TEXTS and not given.offset:
        answer.result = execution.result
        return answer
    if given.offset > len(text):
        raise InvalidError(f"the offset is behind the end: there are {len(text):,} characters")
    end = given.offset + MOST_TEXTS
    answer.result_text, answer.next_offset = text[given.offset : end], end if end < len(text) else None
    return answer


async def list_results(desk: Desk, given: ListResults) -> Results:
    """Return the ids of a session's executions."""
    async with _executions(desk) as cache:
        found = await cache.list_executions(given.session, given.flow)
    if found.status != "found":
        raise found.error or UnavailableError("the store could not be asked")
    return Results(list(found)[-MOST_RESULTS:], len(found) > MOST_RESULTS or found.cursor is not None)


def _sessions(desk: Desk) -> RedisSessionManager:
    return RedisSessionManager(store=desk.store, key_prefix=desk.shelf.name(PREFIX))


def _executions(desk: Desk) -> RedisExecutionCache:
    return RedisExecutionCache(store=desk.store, key_prefix=desk.shelf.name(PREFIX))


def _error(found: Outcome | Loaded[Any], missing: str = "it is not there any more") -> Exception:
    if found.status == "missing":
        return NotFoundError(missing)
    return found.error or UnavailableError("the store could not be asked")


def _set(target: dict[str, Any], given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value


def _fitting(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields whose JSON fits one answer together."""
    found, room = {}, MOST_CONTEXT
    for name, value in fields.items():
        size = len(msgspec.json.encode({name: value}))
        if size <= room:
            found[name] = value
            room -= size
    return found


def _newest(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest entries whose JSON fits one answer, oldest first; of a long one its beginning."""
    found: list[dict[str, Any]] = []
    room = MOST_TEXTS
    for entry in reversed(entries):
        text = msgspec.json.encode(entry).decode()
        room -= min(len(text), MOST_TEXT)
        if room < 0:
            break
        found.append(entry if len(text) <= MOST_TEXT else {"cut": text[:MOST_TEXT], "characters": len(text)})
    return found[::-1]


TOOLS: Final = (
    Tool("save_workflow_session", "Save a workflow session",
         "Make a workflow session, or change what is given of it; the rest stays. Entries of history are added at the end.",
         Save, Saved, save),
    Tool("append_to_workflow_session", "Append to a workflow session",
         "Add entries to the history of a workflow session, together or not at all.",
         AppendHistory, Saved, append_history),
    Tool("resume_workflow_session", "Resume a workflow session",
         "Return a workflow session: where it stands, its context, and the newest entries of its history. The whole document is "
         "the value under the key agentic_flywheel:session: and its id.",
         Resume, Session, resume, reads=True),
    Tool("list_workflow_sessions", "List workflow sessions",
         "List the ids of workflow sessions that match a pattern, in no order.",
         ListSessions, Sessions, list_sessions, reads=True),
    Tool("drop_workflow_session", "Drop a workflow session", "Delete a workflow session. `dropped` says whether it was there.",
         DropSession, Dropped, drop_session, destroys=True, repeats=True),
    Tool("save_execution_result", "Save an execution result",
         "Store what came of an execution, for an hour or `ttl` seconds; with `session` and `flow` it is found by them too.",
         SaveResult, SavedResult, save_result, destroys=True, repeats=True),
    Tool("fetch_execution_result", "Fetch an execution result",
         "Return what came of an execution. A long one comes as text, in parts: go on with next_offset.",
         FetchResult, Result, fetch_result, reads=True),
    Tool("list_execution_results", "List execution results",
         "List the ids of the newest 500 executions of a workflow session, of all its flows or one.",
         ListResults, Results, list_results, reads=True),
)  # fmt: skip
