"""One execution of a flow, as it is stored, and the line of it in the history of its session and flow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ...errors import InvalidError
from ...limits import check_id
from ...model import JSON
from .document import decode
from .exact import encode_object, read_datetime, thaw
from .schema import NAME, VERSION, Schema

EXECUTIONS: Final = "executions"
"""The field of a history that has its lines."""


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of one run of a flow, and where it belongs.

    Attributes:
        execution_id: its name.
        result: what came of it; JSON, and datetimes.
        status: a word, as FlowStatus has them.
        session_id, flow_id: the session and flow that it ran in, None where nobody said.
        cached_at: when it was stored.
    """

    execution_id: str
    result: JSON
    status: str | None = None
    session_id: str | None = None
    flow_id: str | None = None
    cached_at: datetime | None = None


def write_execution(execution: Execution) -> bytes:
    """Return the document; InvalidError where it cannot be stored as it is."""
    if not isinstance(execution.result, dict):
        raise InvalidError(f"a result is a JSON object, as a dict, not {type(execution.result).__name__}")
    found = {
        NAME: VERSION,
        "execution_id": execution.execution_id,
        "session_id": execution.session_id,
        "flow_id": execution.flow_id,
        "status": execution.status,
        "result": execution.result,
        "cached_at": None if execution.cached_at is None else execution.cached_at.isoformat(),
    }
    return encode_object(found, "the result")


def read_execution(execution_id: str, raw: bytes, schema: Schema) -> Execution:
    """Return what is stored: as clew writes it, as one branch of the founding system did, or, as the other did, a bare result.

    Raises:
        UnreadableError: it is none of these, or of a newer release.
    """
    what = f"the execution {execution_id!r}"
    found = decode(raw, what)
    if NAME not in found and not {"execution_id", "result", "cached_at"} <= found.keys():
        return Execution(execution_id, thaw(found))
    found = thaw(schema.migrate(found, what))
    return Execution(
        execution_id,
        found.get("result"),
        found.get("status"),
        found.get("session_id"),
        found.get("flow_id"),
        read_datetime(found.get("cached_at")),
    )


def line_of(execution: Execution) -> dict[str, JSON]:
    """Return the line of an execution in the history of its session and flow."""
    assert execution.cached_at is not None
    return {
        "execution_id": execution.execution_id,
        "status": execution.status,
        "cached_at": execution.cached_at.astimezone(UTC).isoformat(),
    }


def newest_of_each(lines: list[JSON]) -> list[JSON]:
    """Return the lines in order, of each execution the newest, at the place of its first."""
    found: dict[object, JSON] = {}
    for number, line in enumerate(lines):
        name = line.get("execution_id") if isinstance(line, dict) else None
        found[number if name is None else str(name)] = line
    return list(found.values())


def history_id(session_id: str, flow_id: str) -> str:
    """Return `<session_id>:<flow_id>`; InvalidError where two pairs would share it."""
    check_id(session_id, "the session's id")
    if ":" in check_id(flow_id, "the flow's id"):
        raise InvalidError("a flow's id has no colon in it, or its history could be another session's: use another character")
    return f"{session_id}:{flow_id}"
