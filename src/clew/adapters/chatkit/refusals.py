"""Why a request is refused, for programs by type and HTTP status, for people in a sentence."""

from __future__ import annotations

from typing import Final

from clew.errors import (
    ClewError,
    ClosedError,
    ConflictError,
    DeniedError,
    FullError,
    InvalidError,
    NotFoundError,
    NotReplicatedError,
    UnavailableError,
)


class BadRequestError(InvalidError):
    """The request is none that ChatKit knows, or does not fit the thread as it is. HTTP 400."""


class BusyError(ConflictError):
    """An answer is being made in this thread. HTTP 409.

    Attributes:
        thread_id, run_id: of that answer.
    """

    def __init__(self, thread_id: str, run_id: str) -> None:
        super().__init__("An answer is still being made in this conversation: wait for it, or stop it first.", actual=run_id)
        self.thread_id = thread_id
        self.run_id = run_id


AWAY: Final = "The conversations cannot be reached at the moment. Nothing is lost: please try again in a few seconds."
_STATUSES: Final[tuple[tuple[type[ClewError], int], ...]] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (FullError, 507),
    (UnavailableError, 503),
    (NotReplicatedError, 503),
    (ClosedError, 503),
    (DeniedError, 503),
    (InvalidError, 400),
)


def status_of(error: ClewError) -> int:
    """Return the HTTP status that tells this error; 500 for what is nobody's request's fault."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def sentence_of(error: ClewError) -> str:
    """Return what a person is told."""
    match status_of(error):
        case 503:
            return AWAY
        case 404:
            return "This conversation, or this part of it, is not there (any more)."
        case 507:
            return "There is no room left for conversations, so this was not saved."
        case 500:
            return "Something went wrong on the server. It was noted there."
        case _:
            return str(error)
