"""How a failed call is told: a sentence that says why, and one that says what to do. A model reads them.

Nothing here holds a value, a message or a credential. What is wrong with the store is told in full only to whoever runs it.
"""

from __future__ import annotations

from typing import Final

from ..errors import (
    AlreadyExistsError,
    ClewError,
    ClosedError,
    ConflictError,
    DeniedError,
    FullError,
    GoneError,
    InvalidError,
    MissingExtraError,
    NotFoundError,
    NotReplicatedError,
    UnavailableError,
    UnknownCursorError,
    UnreadableError,
    UnsupportedError,
)

_ADVICE: Final[tuple[tuple[type[ClewError], str, str | None, str], ...]] = (
    (GoneError, "gone", None, "It was there and has been deleted; its id stays taken for a week."),
    (UnknownCursorError, "unknown-cursor", None, "Start again without a cursor."),
    (NotFoundError, "missing", None, "Check the name; the tools that list show what there is."),
    (AlreadyExistsError, "exists", None, "Use what is there, or choose another id."),
    (ConflictError, "conflict", None, "Nothing was written: read it again, then decide."),
    (InvalidError, "invalid", None, "Mend the arguments: the same ones will fail again."),
    (
        UnavailableError,
        "unavailable",
        "the store is away",
        "If this was a write, it may or may not have happened. Call again in a moment, with the same arguments.",
    ),
    (ClosedError, "unavailable", "the server is about to end", "Call again in a moment."),
    (NotReplicatedError, "degraded", "it was written, but too few replicas have it", "Call again with the same arguments."),
    (FullError, "full", "the store is full", "Nothing was written: somebody has to make room."),
    (UnreadableError, "unreadable", None, "Nothing was changed; a newer clew may read it, or whoever wrote it."),
    (DeniedError, "unavailable", "the store refuses the server", "Whoever runs the server has to mend that."),
    (MissingExtraError, "unavailable", "the server lacks a part", "Whoever runs the server has to install it."),
    (UnsupportedError, "unsupported", "this store cannot do that", "Use another store."),
)
_UNCERTAIN: Final = (UnavailableError, NotReplicatedError)
_LOOK_FIRST: Final = (
    "It may or may not have happened. Call again in a moment, but see first whether it did: done twice it is there twice, where "
    "no `once` and no id of your own tells that it is the same."
)
UNEXPECTED: Final = ("unexpected", "Something went wrong in the server; it is noted there.")


def tell(error: ClewError, *, in_full: bool, repeats: bool = True) -> tuple[str, str]:
    """Return what kind of failure it is, in a word, and the sentences that tell it.

    Args:
        repeats: the same call, made again, would do nothing more.
        in_full: say what clew knows of the store, as its address, which is for whoever runs the server.
    """
    for of, word, outline, advice in _ADVICE:
        if isinstance(error, of):
            if not repeats and isinstance(error, _UNCERTAIN):
                advice = _LOOK_FIRST
            why = (outline if outline is not None and not in_full else str(error)).rstrip(".")
            return word, f"{why[:1].upper()}{why[1:]}. {advice}"
    return UNEXPECTED
