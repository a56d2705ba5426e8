"""Why a part of a worker cannot be used, in words for anybody: without an address or a name, which stand in the log alone."""

from __future__ import annotations

import logging
from typing import Final

from ..errors import ClewError, ClosedError, DeniedError, FullError, UnavailableError

logger = logging.getLogger("clew.service")

_WORDS: Final[tuple[tuple[type[ClewError], str], ...]] = (
    (DeniedError, "refuses this service"),
    (FullError, "is full"),
    (ClosedError, "is closed"),
)
_AWAY: Final = {"files": "did not answer"}


class Reasons:
    """One worker's. The log has each reason when it changes, and not each time somebody asks."""

    def __init__(self) -> None:
        self._noted: dict[str, str] = {}

    def note(self, part: str, error: ClewError) -> str:
        """Note why a part cannot be used, and return what may be told to anybody."""
        why = str(error)
        if self._noted.get(part) != why:
            self._noted[part] = why
            logger.warning("the %s cannot be used: %s: %s", part, type(error).__name__, why, extra={"event": f"{part}_not_ready"})
        if isinstance(error, UnavailableError):
            return _AWAY.get(part, "cannot be reached")
        return next((words for kind, words in _WORDS if isinstance(error, kind)), f"cannot be used: {type(error).__name__}")

    def clear(self, part: str) -> None:
        """Note that a part can be used."""
        self._noted.pop(part, None)
