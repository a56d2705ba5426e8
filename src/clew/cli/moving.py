"""`clew import --layout`: what another library keeps in a database of its own, read as it lies there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from rich.progress import Progress

from .. import moving
from ..errors import InvalidError
from ..moving import Broken
from ..settings import Settings, mask_url
from ..store import Store, connect
from .screen import clean, note, progress, write_json

OF_LANGGRAPH = ("langgraph-redis", "langgraph-plainredis", "langgraph-sqlite")


async def move_in(
    layout: str,
    source: str,
    settings: Settings,
    prefix: str | None,
    write_prefix: str | None,
    *,
    as_json: bool,
    dry_run: bool = False,
) -> bool:
    """Move everything of a layout in, and tell what was moved and what was left; return whether nothing was left.

    Args:
        dry_run: read and count everything, and open no store.

    Raises:
        InvalidError: there is no such layout.
        MissingExtraError: the extra that reads it is not installed.
        ClewError: the source or the store cannot be used.
    """
    if layout not in OF_LANGGRAPH and layout not in moving.LAYOUTS:
        raise InvalidError(
            f"there is no layout {layout!r}: use one of {', '.join((*OF_LANGGRAPH, *moving.LAYOUTS))}, "
            "or leave --layout out for a file of clew export"
        )
    if write_prefix is not None and layout != "langgraph-redis":
        raise InvalidError("--write-prefix belongs to --layout langgraph-redis")
    if not settings.owner_named and not as_json and not dry_run:
        note(f"what is nobody's there goes to {settings.owner!r}; --owner says whose else it is to be")
    with progress() as bar:
        async with AsyncExitStack() as stack:
            store = None if dry_run else await stack.enter_async_context(connect(settings.url))
            if layout in OF_LANGGRAPH:
                counts, left, details = await _move_checkpoints(layout, source, store, settings, prefix, write_prefix, bar)
            else:
                counts, left, details = await _move_keys(layout, source, store, settings, prefix, bar)
    if as_json:
        value = {"layout": layout, "source": mask_url(source), "owner": settings.owner, **counts, "left": left}
        write_json(value | {"details": [broken.to_json() for broken in details]} | ({"dry_run": True} if dry_run else {}))
        return not left
    for broken in details:
        note(f"left: {broken.kind} {clean(broken.where)}: {clean(broken.reason)}")
    if left > len(details):
        note(f"left: {left - len(details)} more")
    there = counts.pop("there")
    if others := counts.pop("others", 0):
        note(f"{others} threads of other owners than {settings.owner!r} were left out")
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "threads")
    if dry_run:
        note(f"would move {said}; {left} things cannot be moved; nothing was written")
    else:
        note(f"moved {said}; {there} were there; {left} things were left")
    return not left


async def _move_keys(
    layout: str, source: str, store: Store | None, settings: Settings, prefix: str | None, bar: Progress
) -> tuple[dict[str, Any], int, Sequence[Broken]]:
    task = bar.add_task("reading the keys", total=None)
    report = await moving.move(
        layout,
        source,
        store,
        settings.owner,
        lambda done, total: bar.update(task, description="moving", completed=done, total=total),
        prefix=prefix,
        only=settings.owner if settings.owner_named else None,
    )
    counts = {name: getattr(report, name) for name in ("threads", "items", "values", "routes", "there", "others")}
    return counts, report.left, report.details


async def _move_checkpoints(
    layout: str,
    source: str,
    store: Store | None,
    settings: Settings,
    prefix: str | None,
    write_prefix: str | None,
    bar: Progress,
) -> tuple[dict[str, Any], int, Sequence[Broken]]:
    from ..adapters.langgraph.moving import move

    task = bar.add_task("moving", total=None)
    report = await move(
        layout,
        source,
        store,
        settings.owner,
        lambda kind: bar.advance(task, kind == "checkpoint"),
        prefix=prefix,
        write_prefix=write_prefix,
    )
    counts = {name: getattr(report, name) for name in ("threads", "checkpoints", "writes", "there")}
    return counts, report.left, report.details
