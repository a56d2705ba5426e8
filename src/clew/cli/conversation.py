"""A conversation between a person and a model on a store: an Agent Framework agent with clew's history provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ..errors import MissingExtraError, UnavailableError
from ..model import Item, Ref
from ..store import Store
from .models import INSTRUCTIONS, Model

MAX_PAGE = 1_000


class ModelError(UnavailableError):
    """The model did not answer. What the person said was not stored."""


class Conversation:
    """One thread and the agent that talks in it. What others say there meanwhile is part of the next turn."""

    def __init__(self, store: Store, model: Model, ref: Ref) -> None:
        try:
            from agent_framework import Agent

            from ..adapters.agent_framework import ClewHistoryProvider
        except ImportError as error:
            raise MissingExtraError("clew chat", "chat") from error
        self.ref = ref
        self._store = store
        # The whole thread is kept; only what is sent to the model is cut, by the agent's own compaction below.
        self._provider = ClewHistoryProvider(store, owner=ref.owner, on_save_error="raise")
        self._agent = Agent(
            model.client,
            INSTRUCTIONS,
            name="assistant",
            context_providers=[self._provider],
            default_options=dict(model.options),  # type: ignore[arg-type]  # the framework's options are a TypedDict per client
            compaction_strategy=_newest(model.max_messages),
        )
        self._session = self._agent.create_session(session_id=ref.id)
        self.seen = 0
        """The position of the newest item that was shown."""

    async def say(self, text: str) -> AsyncIterator[str]:
        """Send a message, yield the answer as it comes, and store both; when it ends, both are stored.

        Raises:
            ModelError: the model did not answer.
            ClewError: the store could not be read or written.
        """
        from openai import OpenAIError

        try:
            stream: Any = self._agent.run(text, session=self._session, stream=True)
            async for update in stream:
                if update.text:
                    yield update.text
            await stream.get_final_response()
        except OpenAIError as error:
            raise ModelError(f"the model did not answer ({type(error).__name__}): {str(error)[:200]}") from error
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, OpenAIError) or type(error).__module__.startswith("agent_framework"):
                raise ModelError(f"the model did not answer: {str(error)[:200]}") from error
            raise

    async def history(self, limit: int = MAX_PAGE) -> list[Item]:
        """Return the newest items, oldest first; none where nothing was said yet."""
        from ..errors import GoneError, NotFoundError

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
        """Return what was appended since the newest item that was shown, by another terminal too."""
        from ..errors import GoneError, NotFoundError

        try:
            page = await self._store.items.page(self.ref, after=self.seen, limit=MAX_PAGE)
        except GoneError:
            raise
        except NotFoundError:
            return []
        if page.data:
            self.seen = page.data[-1].position
        return list(page.data)


def _newest(count: int | None) -> Any:
    """Return a strategy that sends the newest messages only, None for all of them."""
    if count is None:
        return None
    from agent_framework import SlidingWindowStrategy

    return SlidingWindowStrategy(keep_last_groups=count)
