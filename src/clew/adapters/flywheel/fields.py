"""Between a session and the head of its document: each field checked, and nothing lost on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo
from enum import Enum
from functools import lru_cache
from typing import Final, TypeVar

from ...errors import InvalidError, UnreadableError
from ...limits import check_id
from ...model import JSON
from .document import OF_SEAL, Document
from .exact import DATETIMES, read_datetime
from .origin import Origin
from .schema import NAME
from .session import BackendType, FlowStatus, UniversalSession

WORDS: Final = ("backend", "status")
TIMES: Final = ("created_at", "updated_at", "expires_at")
OPTIONAL_TEXTS: Final = ("backend_session_id", "current_flow_id", "user_id")
OBJECTS: Final = ("context", "metadata")
COUNTS: Final = ("total_queries", "successful_queries")
HISTORY: Final = "history"
FIELDS: Final = frozenset(
    (NAME, DATETIMES, "id", *WORDS, *TIMES, *OPTIONAL_TEXTS, *OBJECTS, *COUNTS, "ttl_seconds", "total_response_time", HISTORY)
)

_E = TypeVar("_E", bound=Enum)


def head_of(session: UniversalSession, version: str, others: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a session's fields as they are stored, all but its history.

    Args:
        version: the schema's.
        others: fields that a newer release wrote, which are kept.

    Raises:
        InvalidError: a field of the wrong type.
    """
    if not isinstance(session, UniversalSession):
        raise InvalidError(f"a session is a UniversalSession, not {type(session).__name__}")
    check_id(session.id, "the session's id")
    if not isinstance(session.history, list):
        raise InvalidError(f"a session's history is a list, not {type(session.history).__name__}")
    for name in OBJECTS:
        if not isinstance(getattr(session, name), dict):
            raise InvalidError(f"a session's {name} is a dict, not {type(getattr(session, name)).__name__}")
    head: dict[str, JSON] = {
        NAME: version,
        "id": session.id,
        "backend": _word(session.backend, "backend"),
        "backend_session_id": _text(session, "backend_session_id"),
        "status": _word(session.status, "status"),
        "current_flow_id": _text(session, "current_flow_id"),
        "user_id": _text(session, "user_id"),
        "context": session.context,
        "metadata": session.metadata,
    }
    if others:
        head |= {name: value for name, value in others.items() if name not in FIELDS and name not in OF_SEAL}
    for name in TIMES:
        head[name] = _time(getattr(session, name), name)
    head["ttl_seconds"] = session.ttl_seconds
    for name in COUNTS:
        head[name] = _count(getattr(session, name), name)
    # A number stands last: so no list but the history stands before the seal.
    head["total_response_time"] = _number(session.total_response_time, "total_response_time")
    return head


def check_head(head: dict[str, JSON], what: str) -> dict[str, JSON]:
    """Return the head of a stored document, or raise UnreadableError where it is no session's."""
    for name in ("id", *WORDS):
        # One branch of the founding system stores no status where it has none.
        if not isinstance(head.get(name), str) and not (name == "status" and head.get(name) is None):
            raise UnreadableError(f"{what} has no {name}: it is no session, and is kept as it is")
    return head


def session_of(document: Document, origin: Origin, what: str) -> UniversalSession:
    """Return the session that a document holds, or raise UnreadableError where it holds none."""
    head = check_head(document.head, what)
    session = UniversalSession(
        id=head["id"],
        backend=_member(BackendType, head["backend"]),
        backend_session_id=head.get("backend_session_id"),
        status=_member(FlowStatus, head.get("status") or FlowStatus.IDLE),
        current_flow_id=head.get("current_flow_id"),
        context=head.get("context"),  # type: ignore[arg-type]  # None is taken for an empty one
        history=document.entries,
        created_at=(created := read_datetime(head.get("created_at"))),
        updated_at=(updated := read_datetime(head.get("updated_at"))),
        expires_at=read_datetime(head.get("expires_at")),
        user_id=head.get("user_id"),
        total_queries=head.get("total_queries", 0),
        successful_queries=head.get("successful_queries", 0),
        total_response_time=head.get("total_response_time", 0.0),
        metadata=head.get("metadata") or {},
        ttl_seconds=head.get("ttl_seconds"),
        _origin=origin,
    )
    # None was made into now.
    session.created_at, session.updated_at = created, updated
    return session


def others_of(head: dict[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a head that this release does not know."""
    return {name: head[name] for name in head.keys() - FIELDS}


def _member(kind: type[_E], word: str) -> _E | str:
    try:
        return kind(word)
    except ValueError:
        return word


def _word(value: object, name: str) -> str:
    word = value if isinstance(value, str) else value.value if isinstance(value, Enum) else None
    if not isinstance(word, str) or not word:
        raise InvalidError(f"a session's {name} is a word, as {name!s} has them in BackendType or FlowStatus, not {value!r}")
    # Of an enumeration whose members are strings, the plain string: much quicker than by `value`.
    return str.__str__(word)


def _text(session: UniversalSession, name: str) -> str | None:
    value = getattr(session, name)
    if value is not None and not isinstance(value, str):
        raise InvalidError(f"a session's {name} is text or None, not {type(value).__name__}")
    return value


def _time(value: object, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, datetime):
        raise InvalidError(f"a session's {name} is a datetime or None, not {type(value).__name__}")
    return _say(value, value.tzinfo, value.fold)


@lru_cache(maxsize=1_024)
def _say(value: datetime, tzinfo: tzinfo | None, fold: int) -> str:
    """Return a datetime as text. Times that are equal may read differently elsewhere, so where they are is part of the key."""
    return value.isoformat()


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidError(f"a session's {name} is a whole number, not {value!r}")
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidError(f"a session's {name} is a number, not {value!r}")
    return value
