"""A conversation between a person and a model on a store: an Agent Framework agent with clew's history provider."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from ..assistant.models import Model
from ..assistant.room import fit_into
from ..errors import ClewError, GoneError, MissingExtraError, NotFoundError, UnavailableError
from ..limits import MAX_PAGE
from ..model import Item, Ref
from ..store import Store
from ..texts import item_text

ASSISTANT = "assistant"


class ModelError(UnavailableError):
    """The model did not answer. What the person said was not stored."""


class Conversation:
    """One thread and the agent that talks in it. What others say there meanwhile is part of the next turn.

    Attributes:
        ref: the thread.
        seen: the position of the newest item that was shown.
    """

    def __init__(self, store: Store, model: Model, ref: Ref) -> None:
        try:
            from agent_framework import Agent

            from ..adapters.agent_framework import ClewHistoryProvider
        except ImportError as error:
            raise MissingExtraError("clew chat", "chat") from error
        # What goes wrong is told here, in a sentence; the framework's and the driver's log lines are not for a terminal.
        logging.getLogger().addHandler(logging.NullHandler())
        self.ref = ref
        self.seen = 0
        self._store = store
        # The whole thread is kept. Only what is sent to the model is cut.
        self._provider = ClewHistoryProvider(store, owner=ref.owner)
        options: Any = dict(model.options)  # the framework's options are a TypedDict per client
        self._agent = Agent(
            model.client,
            model.instructions,
            name=ASSISTANT,
            context_providers=[self._provider],
            default_options=options,
            middleware=[] if model.room is None else [fit_into(model.room)],
        )
        self._session = self._agent.create_session(session_id=ref.id)
        self._said: Counter[tuple[str, str]] = Counter()

    async def say(self, text: str) -> AsyncIterator[str]:
        """Send a message and yield the answer as it comes. When it ends, both are stored, or wait (`save` tells).

        Raises:
            ModelError: the model did not answer; nothing was stored.
            ClewError: the store could not be read; the model was not asked.
        """
        from openai import OpenAIError

        self._said.clear()
        self._said["user", text] += 1
        parts: list[str] = []
        try:
            stream: Any = self._agent.run(text, session=self._session, stream=True)
            async for update in stream:
                if update.text:
                    parts.append(update.text)
                    yield update.text
            await stream.get_final_response()
        except ClewError:
            raise
        except Exception as error:
            if isinstance(error, OpenAIError) or type(error).__module__.partition(".")[0] == "agent_framework":
                raise ModelError(f"the model did not answer ({type(error).__name__}): {_first_line(error)}") from error
            raise
        self._said[ASSISTANT, "".join(parts)] += 1

    async def save(self) -> None:
        """Store what still waits after a failed save.

        Raises:
            ClewError: why it cannot be stored yet.
        """
        if self.unsaved:
            await self._provider.flush()

    @property
    def unsaved(self) -> int:
        """How many messages the store has not acknowledged."""
        return len(self._provider.unsaved(self._session))

    async def history(self, limit: int = MAX_PAGE) -> list[Item]:
        """Return the newest items, oldest first; none where nothing was said yet."""
        try:
            items = await self._store.items.tail(self.ref, limit)
        except GoneError:
            raise
        except NotFoundError:
            return []
        if items:
            self.seen = max(self.seen, items[-1].position)
        return items

    async def news(self) -> list[Item]:
        """Return what was appended since the newest item that was shown, by another terminal too, oldest first."""
        found: list[Item] = []
        while True:
            page = await self._store.items.page(self.ref, after=self.seen, limit=MAX_PAGE, missing_ok=True)
            found += page
            if found:
                self.seen = found[-1].position
            if not page.has_more:
                return found

    async def others(self) -> list[Item]:
        """Return the news without this side's last turn, which was shown as it came."""
        left = Counter(self._said)
        self._said.clear()
        found = []
        for item in await self.news():
            said = (item.author or "", item_text(item))
            if left[said] > 0:
                left[said] -= 1
            else:
                found.append(item)
        return found

    async def is_stored(self, text: str) -> bool:
        """Tell whether the person's own message is among what was appended since the newest item that was shown."""
        page = await self._store.items.page(self.ref, after=self.seen, limit=MAX_PAGE, missing_ok=True)
        return any(item.author == "user" and item_text(item) == text for item in page)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
