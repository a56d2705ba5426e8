"""Moving checkpoints that other savers of LangGraph keep into clew: `clew import --layout NAME URL`.

A layout is read as it lies in its database, without the package that wrote it, and without a change to it.
"""

from __future__ import annotations

from typing import Final

from ....errors import InvalidError
from ....store import Store
from ..saver import ClewSaver
from .mover import Mover, Step, count
from .plainredis import open_plainredis
from .records import Broken, Report, Source
from .redis_json import open_redis_json
from .sqlite import open_sqlite
from .values import make_serde

__all__ = ["LAYOUTS", "Broken", "Report", "move"]

LAYOUTS: Final = {
    "langgraph-redis": "langgraph-checkpoint-redis 0.5",
    "langgraph-plainredis": "langgraph-checkpoint-plainredis 0.1",
    "langgraph-sqlite": "langgraph-checkpoint-sqlite 3",
}
"""The layouts, and the package that writes each."""


async def move(
    layout: str,
    url: str,
    store: Store | None,
    owner: str,
    step: Step,
    *,
    prefix: str | None = None,
    write_prefix: str | None = None,
) -> Report:
    """Move every thread of a layout into a store.

    Args:
        layout: one of LAYOUTS.
        url: where the other saver keeps them: a Redis URL, or a file of SQLite.
        store: where to; None for a dry run, which reads everything and writes nothing.
        owner: whose threads they become.
        step: called with "thread", "checkpoint" or "write" for each one.
        prefix: what the keys begin with, where the saver was told another than its own default.
        write_prefix: of langgraph-checkpoint-redis, what the keys of writes begin with.

    Raises:
        InvalidError: an unknown layout, or a URL that cannot be one of it.
        ClewError: the source or the store cannot be used; what was moved stays, and a second move goes on.
    """
    serde = make_serde()
    source: Source
    if layout == "langgraph-redis":
        source = await open_redis_json(url, serde, prefix, write_prefix)
    elif layout == "langgraph-plainredis":
        source = await open_plainredis(url, serde, prefix)
    elif layout == "langgraph-sqlite":
        source = await open_sqlite(url, serde)
    else:
        raise InvalidError(f"there is no layout {layout!r}: use one of {', '.join(LAYOUTS)}")
    async with source:
        if store is None:
            return await count(source, step)
        return await Mover(store, owner, ClewSaver(store, owner=owner, serde=serde), serde, step).move(source)
