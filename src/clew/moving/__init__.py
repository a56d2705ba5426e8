"""Moving in: what other programs keep in Redis, read as it lies there into a store of clew. `clew import --layout NAME URL`.

A layout is read without the package that wrote it, and without a change to it. What LangGraph's savers keep is in
`clew.adapters.langgraph.moving`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from ..errors import InvalidError
from ..store import Store
from .looking import Keys, open_keys
from .mover import Mover, Step
from .records import Broken, Report, Source

__all__ = ["LAYOUTS", "Broken", "Report", "move"]

LAYOUTS: Final = {
    "llmos": "clew.moving.layouts.llmos",
    "codecoder": "clew.moving.layouts.codecoder",
    "flywheel": "clew.moving.layouts.flywheel",
    "lab11": "clew.adapters.agent_framework.moving.lab11",
    "merak": "clew.adapters.chatkit.moving",
    "agent-framework-redis": "clew.adapters.agent_framework.moving.redis_provider",
    "langchain": "clew.adapters.langchain.moving",
    "openai-agents": "clew.moving.layouts.openai_agents",
}
"""The layouts, and the module that reads each."""


async def move(
    layout: str,
    url: str,
    store: Store | None,
    owner: str,
    step: Step,
    *,
    prefix: str | None = None,
    only: str | None = None,
) -> Report:
    """Move everything of a layout into a store.

    Args:
        layout: one of LAYOUTS.
        url: the Redis where it lies.
        store: where to; None for a dry run, which reads everything and writes nothing.
        owner: whose threads they become where the layout does not say.
        step: told of progress: how many threads, values and routes are done, and of how many.
        prefix: what the keys begin with, where that was changed.
        only: where the layout says whose the threads are, this owner's alone; None for everybody's.

    Raises:
        InvalidError: an unknown layout, or a URL that is no Redis.
        MissingExtraError: the extra of the layout's framework, or `redis`, is not installed.
        ClewError: the source or the store cannot be used; what was moved stays, and a second move goes on.
    """
    if layout not in LAYOUTS:
        raise InvalidError(f"there is no layout {layout!r}: use one of {', '.join(LAYOUTS)}")
    open_source: Callable[[Keys, str | None], Source] = import_module(LAYOUTS[layout]).open_source
    async with open_source(await open_keys(url), prefix) as source:
        return await Mover(store, owner, step, only=only).move(source)
