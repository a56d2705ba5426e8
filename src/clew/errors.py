"""Every error clew raises on purpose, and what each one means for the caller.

    ClewError
    ├── InvalidError            the call is wrong: mend it, trying again will not help (also a ValueError)
    │   └── ReusedTokenError    this `once` token was used for another call before
    ├── NotFoundError           there is no such thing, for this owner (also a LookupError)
    │   ├── GoneError           it was there and has been deleted
    │   └── UnknownCursorError  the page's starting point is not known (any more)
    ├── ConflictError           somebody else was first: read again, then decide
    │   ├── AlreadyExistsError  create-only, and it is there
    │   └── FencedError         this producer's run is another's by now, or has ended: stop at once
    ├── UnavailableError        the store could not be reached in time: try again later
    ├── FullError               the store is there and refuses to grow: disk full, read-only, `maxmemory`
    ├── NotReplicatedError      written, but fewer replicas acknowledged than was asked for
    ├── UnreadableError         a stored record is corrupt or from a newer clew
    ├── DeniedError             wrong password, or the user may not run a command
    ├── UnsupportedError        this server or file cannot be used: too old, too new, or of another kind
    ├── ClosedError             the store was closed (also a RuntimeError)
    └── MissingExtraError       an optional dependency is not installed (also an ImportError)

An error never carries a payload or a credential in its message.
"""

from __future__ import annotations

from collections.abc import Sequence


class ClewError(Exception):
    """Base of every error this package raises on purpose."""


class InvalidError(ClewError, ValueError):
    """The call is wrong: a bad id, limit, size, URL or combination. The message says what to do."""


class ReusedTokenError(InvalidError):
    """The `once` token is another call's, which was done: nothing was written now. Give each call a token of its own."""


class NotFoundError(ClewError, LookupError):
    """There is no such thing for this owner. Another owner's thing is not found either."""


class GoneError(NotFoundError):
    """It was deleted, and its tombstone says so."""


class UnknownCursorError(NotFoundError):
    """The cursor names nothing that the log knows: start again from one end."""


class ConflictError(ClewError):
    """Somebody else was first, and nothing was written.

    Attributes:
        expected: what the caller asked for, where it is known.
        actual: what the store holds, where it is known.
    """

    def __init__(self, message: str, *, expected: object = None, actual: object = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class AlreadyExistsError(ConflictError):
    """A create-only write met something that is there already."""


class FencedError(ConflictError):
    """A newer producer owns the run, or it has ended: whoever gets this stops writing to it, at once and for good."""


class UnavailableError(ClewError):
    """The store could not be reached in time. A write may or may not have happened: repeat it with the same ids.

    Attributes:
        lost: whether the store went away after the write had gone out to it, so that perhaps only its answer is lost.
        ids: of the items of an append that is lost, given or made: with them it is the same append again.
    """

    def __init__(self, *message: object, lost: bool = False, ids: Sequence[str] = ()) -> None:
        super().__init__(*message)
        self.lost = lost
        self.ids = tuple(ids)


class FullError(ClewError):
    """The store refuses to grow: its disk is full, it is read-only, or `maxmemory` is reached. Nothing was written."""


class NotReplicatedError(ClewError):
    """The write was applied, but fewer replicas acknowledged it in time than the URL asks for."""


class UnreadableError(ClewError):
    """A stored record is corrupt, or was written by a newer clew. It is kept as it is."""


class DeniedError(ClewError):
    """The server refused this user: a wrong password, or a command or key the ACL does not allow."""


class UnsupportedError(ClewError):
    """This server or file cannot be used as asked: too old, too new, or of another kind."""


class ClosedError(ClewError, RuntimeError):
    """The store was closed: connect again."""


class MissingExtraError(ClewError, ImportError):
    """An optional dependency is not installed; the message has the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra that is not installed: pip install 'clew[{extra}]'")
        self.extra = extra
