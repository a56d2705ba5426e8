"""Exit codes, and how an error is told: one sentence for a person, one JSON object for a program."""

from __future__ import annotations

from typing import Final

from ..errors import (
    ClewError,
    ClosedError,
    ConflictError,
    DeniedError,
    FullError,
    InvalidError,
    MissingExtraError,
    NotFoundError,
    NotReplicatedError,
    UnavailableError,
    UnreadableError,
    UnsupportedError,
)

OK: Final = 0
UNEXPECTED: Final = 1
INVALID: Final = 2
NOT_FOUND: Final = 3
CONFLICT: Final = 4
UNAVAILABLE: Final = 5
REFUSED: Final = 6
UNREADABLE: Final = 7
FAILED: Final = 8
INTERRUPTED: Final = 130

MEANINGS: Final = {
    OK: "done",
    UNEXPECTED: "a fault in clew itself: please report it",
    INVALID: "the command, an option or the input is wrong",
    NOT_FOUND: "there is no such thing for this owner, or it was deleted",
    CONFLICT: "somebody else was first, or it exists already",
    UNAVAILABLE: "the store or the model cannot be reached: try again later",
    REFUSED: "refused: not allowed, full, not supported, or an extra is missing",
    UNREADABLE: "a stored record, or a line of the input, cannot be read",
    FAILED: "a check failed (`doctor`, `conform`), or something is left (`forget`)",
    INTERRUPTED: "interrupted with Ctrl-C",
}
"""Every exit code, and what it means."""

_CODES: Final[tuple[tuple[type[ClewError], int], ...]] = (
    (InvalidError, INVALID),
    (NotFoundError, NOT_FOUND),
    (ConflictError, CONFLICT),
    (UnavailableError, UNAVAILABLE),
    (NotReplicatedError, UNAVAILABLE),
    (ClosedError, UNAVAILABLE),
    (UnreadableError, UNREADABLE),
    (DeniedError, REFUSED),
    (FullError, REFUSED),
    (UnsupportedError, REFUSED),
    (MissingExtraError, REFUSED),
)


def exit_code(error: ClewError) -> int:
    """Return the exit code that tells this error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), UNEXPECTED)
