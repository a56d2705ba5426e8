"""`clew import --layout`: what another library keeps in a database of its own, read as it lies there."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidError
from ..settings import Settings, mask_url
from ..store import connect
from .screen import clean, note, progress, write_json

OF_LANGGRAPH = "langgraph-"


async def move_in(
    layout: str, source: str, settings: Settings, prefix: str | None, write_prefix: str | None, *, as_json: bool
) -> bool:
    """Move everything of a layout in, and tell what was moved and what was left; return whether nothing was left.

    Raises:
        InvalidError: there is no such layout.
        MissingExtraError: the extra that reads it is not installed.
        ClewError: the source or the store cannot be used.
    """
    if not layout.startswith(OF_LANGGRAPH):
        raise InvalidError(
            f"there is no layout {layout!r}: use langgraph-redis, langgraph-plainredis or langgraph-sqlite, "
            "or leave --layout out for a file of clew export"
        )
    from ..adapters.langgraph.moving import move

    if not settings.owner_named and not as_json:
        note(f"they become the threads of {settings.owner!r}: --owner says whose else")
    with progress() as bar:
        task = bar.add_task("moving", total=None)
        async with connect(settings.url) as store:
            report = await move(
                layout,
                source,
                store,
                settings.owner,
                lambda kind: bar.advance(task, kind == "checkpoint"),
                prefix=prefix,
                write_prefix=write_prefix,
            )
    if as_json:
        value: dict[str, Any] = {
            "layout": layout,
            "source": mask_url(source),
            "owner": settings.owner,
            "threads": report.threads,
            "checkpoints": report.checkpoints,
            "writes": report.writes,
            "there": report.there,
            "left": report.left,
            "details": [broken.to_json() for broken in report.details],
        }
        write_json(value)
    else:
        for broken in report.details:
            note(f"left: {broken.kind} {clean(broken.where)}: {clean(broken.reason)}")
        if report.left > len(report.details):
            note(f"left: {report.left - len(report.details)} more")
        moved = f"moved {report.checkpoints} checkpoints and {report.writes} writes of {report.threads} threads"
        note(f"{moved}; {report.there} checkpoints were there; {report.left} things were left")
    return not report.left
