"""One search, between the two events of its animation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from chatkit.types import ThreadStreamEvent

from ..errors import ClewError
from .animation import start_event, stop_event
from .search import Found, Searcher

MOST_FOUND: Final = 5


class Looking:
    """A search that tells when it starts and stops, each once, however it ends.

    Attributes:
        found: what was found, the best first.
        failure: why nothing could be looked up, as a sentence; empty where it could.
    """

    def __init__(self, search: Searcher, query: str, patience_s: float) -> None:
        """Do nothing yet.

        Args:
            patience_s: how many seconds it may take.
        """
        self.found: list[Found] = []
        self.failure = ""
        self._search = search
        self._query = query
        self._patience_s = patience_s

    async def events(self) -> AsyncGenerator[ThreadStreamEvent, None]:
        """Do it, and yield the two events. Where the task is cancelled meanwhile, the second comes before the cancellation."""
        yield start_event()
        try:
            async with asyncio.timeout(self._patience_s):
                self.found = await self._search.search(self._query, MOST_FOUND)
        except TimeoutError:
            self.failure = f"The documentation could not be searched within {self._patience_s:g} seconds: ask again later."
        except ClewError as error:
            self.failure = f"The documentation could not be searched: {error}."
        except BaseException:
            # A cancellation too: whoever cancelled reads on until the exception comes.
            yield stop_event()
            raise
        yield stop_event()
