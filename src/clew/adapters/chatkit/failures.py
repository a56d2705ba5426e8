"""What ChatKit is told when a call fails: its own NotFoundError, or a sentence for the person, with whether to try again.

Each is clew's own error too, so that an application tells them apart as it would anywhere. What nobody at a chat can do anything
about, as a wrong password of the store, goes through as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chatkit.errors import CustomStreamError
from chatkit.store import NotFoundError

import clew

AWAY: Final = "The conversation cannot be reached at the moment, and this may not have been saved. Please try again."
"""What a person is told of a store that is away."""


class StoreAwayError(CustomStreamError, clew.UnavailableError):
    """The store could not be reached in time; a write may or may not have happened, and may be repeated."""


class StoreRefusedError(CustomStreamError, clew.FullError, clew.InvalidError):
    """The store does not take it: it is full, or what was to be kept is too large or no JSON. Nothing was written."""


class AlreadyCompletedError(CustomStreamError, clew.ConflictError):
    """Somebody else completed this item with another outcome first, which stays."""

    def __init__(self, message: str) -> None:
        CustomStreamError.__init__(self, message, allow_retry=False)
        self.expected = self.actual = None


@contextmanager
def telling() -> Iterator[None]:
    """Raise clew's errors as what ChatKit knows."""
    try:
        yield
    except CustomStreamError:
        raise
    except clew.NotFoundError as e:
        raise NotFoundError(str(e)) from e
    except clew.UnavailableError as e:
        raise StoreAwayError(AWAY, allow_retry=True) from e
    except clew.FullError as e:
        raise StoreRefusedError("There is no room left for conversations, so this was not saved.", allow_retry=False) from e
    except clew.InvalidError as e:
        raise StoreRefusedError(f"This cannot be saved: {e}", allow_retry=False) from e
