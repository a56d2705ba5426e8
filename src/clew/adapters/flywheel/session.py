"""The session of a workflow, as the founding system has it, and what a manager remembers beside its fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ...model import JSON
from .origin import Origin


class BackendType(StrEnum):
    """What runs a flow."""

    FLOWISE = "flowise"
    LANGFLOW = "langflow"
    CUSTOM = "custom"


class FlowStatus(StrEnum):
    """Where a flow, or the session it runs in, stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ACTIVE = "active"
    IDLE = "idle"


@dataclass
class UniversalSession:
    """A workflow session, whatever runs its flows. What is saved is what is loaded, datetimes and all.

    Attributes:
        id: its name, unique for the key prefix.
        backend: what runs it; a word that BackendType has not is kept as it is.
        backend_session_id: what that one calls it.
        status: a word that FlowStatus has not is kept as it is.
        current_flow_id: the flow that it is in.
        context: JSON values by name; datetimes too.
        history: what was said and done, the oldest first: JSON objects; datetimes too.
        created_at, updated_at, expires_at: the caller's own; the first two are now, UTC, where none is given. Text in ISO 8601 is
            taken too, and comes back as a datetime.
        user_id: whose it is.
        total_queries, successful_queries: counted by the caller; of two who count at once neither is lost.
        total_response_time: seconds, summed up by the caller.
        metadata: JSON values by name; datetimes too.
        ttl_seconds: how long it stays after it was written to last; None for the manager's time.
    """

    id: str
    backend: BackendType | str
    backend_session_id: str | None
    status: FlowStatus | str = FlowStatus.PENDING
    current_flow_id: str | None = None
    context: dict[str, JSON] = None  # type: ignore[assignment]  # None is taken for an empty one, as in the founding system
    history: list[dict[str, JSON]] = None  # type: ignore[assignment]  # as above
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    user_id: str | None = None
    total_queries: int = 0
    successful_queries: int = 0
    total_response_time: float = 0.0
    metadata: dict[str, JSON] = field(default_factory=dict, kw_only=True)
    ttl_seconds: float | None = field(default=None, kw_only=True)
    _origin: Origin | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.context is None:
            self.context = {}
        if self.history is None:
            self.history = []
        if self.created_at is None:
            self.created_at = datetime.now(UTC)
        if self.updated_at is None:
            self.updated_at = datetime.now(UTC)
