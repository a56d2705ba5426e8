"""A backend around another that lets an observer see each operation: which verb, how long, how it ended. Never what is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol, cast

from ...backend import Backend, Cataloguing, Collecting, Describing, Expiry, Leasing, Listing, Pinging, Running, Values
from ...checkpointing import Checkpointing
from ...erasing import Erasing
from ...errors import ConflictError, InvalidError, NotFoundError
from ...nearest import Nearest
from ...splicing import Splicing

Verb = Callable[..., Awaitable[Any]]  # any, since it is passed through
Following = Callable[..., AsyncIterator[Any]]

_POWERS: Final = (
    *(Backend, Listing, Cataloguing, Leasing, Expiry, Values, Collecting, Pinging, Running, Describing),
    *(Checkpointing, Splicing, Nearest, Erasing),
)
FOLLOWING: Final = {"follow": "thread", "follow_events": "run"}
"""The verbs that go on until whoever follows has enough, and what they follow."""
WAITING: Final = frozenset({"await_stop"})
"""A verb that waits for somebody: how long says nothing of the store."""
OPERATIONS: Final = frozenset(name for power in _POWERS for name in vars(power) if not name.startswith("_")) - {
    "aclose",
    *FOLLOWING,
} | {"outlast"}
"""The verbs of the waist and its powers. So these are all the names of operations that there can be."""
ANSWERS: Final = (InvalidError, NotFoundError, ConflictError)
"""What a store that is well says no with."""


class Observer(Protocol):
    """What sees the operations of one store."""

    def see(self, operation: str, verb: Verb) -> Verb:
        """Return a verb that does the same, and is seen."""
        ...

    def see_following(self, operation: str, verb: Following) -> Following:
        """Return a verb that follows the same, and is seen."""
        ...

    def begin(self, backend: Backend) -> None:
        """Take note of the backend that is about to be seen."""
        ...

    def end(self) -> None:
        """The store was closed."""
        ...


class Observed:
    """Implements Backend, and every power of the inner one and no other: powers are told by the verbs that are there.

    Attributes:
        inner: the backend that it stands around.
    """

    def __init__(self, inner: Backend, observer: Observer) -> None:
        """Stand around an open backend, which `aclose` closes."""
        self.inner = inner
        self._observer = observer
        observer.begin(inner)
        for name in dir(inner):
            if name.startswith("_") or name in ("inner", "aclose"):
                continue
            found = getattr(inner, name)
            if name in FOLLOWING:
                found = observer.see_following(name, found)
            elif name in OPERATIONS and callable(found):
                found = observer.see(name, found)
            setattr(self, name, found)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        try:
            await self.inner.aclose()
        finally:
            self._observer.end()


def observed(inner: Backend, observer: Observer) -> Backend:
    """Return the backend, seen by an observer."""
    return cast(Backend, Observed(inner, observer))


__all__ = ["ANSWERS", "FOLLOWING", "OPERATIONS", "WAITING", "Observed", "Observer", "observed"]
