"""The search animation: the events that start and stop a page's spinner, each exactly once for every search.

The agent sends the second one however a search ends. Only who passes the events on can do it where that is cut off between
the two: `OpenSearches` tells what is still owed.
"""

from __future__ import annotations

from typing import Final

from ..errors import MissingExtraError

try:
    from chatkit.types import ProgressUpdateEvent, ThreadStreamEvent
except ImportError as error:
    raise MissingExtraError("clew.assistant.agent", "chatkit") from error

START: Final = "search_animation:start"
STOP: Final = "search_animation:stop"


def start_event() -> ProgressUpdateEvent:
    """Return the event that starts the animation."""
    return ProgressUpdateEvent(icon="search", text=START)


def stop_event() -> ProgressUpdateEvent:
    """Return the event that stops it."""
    return ProgressUpdateEvent(icon="search", text=STOP)


class OpenSearches:
    """The searches in a stream of events that have started and not stopped.

    For a task that passes an agent's events on, and may be cancelled while the agent waits for it: then the agent cannot speak
    any more, and the task sends `owed()` itself.
    """

    def __init__(self) -> None:
        self._open = 0

    def see(self, event: ThreadStreamEvent) -> None:
        """Take note of an event that was passed on."""
        if isinstance(event, ProgressUpdateEvent):
            self._open += (event.text == START) - (event.text == STOP)

    def owed(self) -> list[ProgressUpdateEvent]:
        """Return the events that end what has started, once: they count as passed on."""
        missing = [stop_event() for _ in range(self._open)]
        self._open = 0
        return missing
