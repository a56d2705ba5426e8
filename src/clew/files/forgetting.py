"""Forgetting an owner's files: those of their volume, their attachments, and the marks of uploads that nobody took up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from ..limits import MAX_PAGE
from .contract import Files
from .keys import Key, fit, volume_key

ATTACHMENTS: Final = "attachments"
"""What the keys of ChatKit's attachments begin with; their owner follows."""
UNSENT: Final = "attachments-unsent"
"""Where the marks of uploads are: the time, the owner and the attachment follow."""
TEAM: Final = "clew:team:"
SYSTEM: Final = "clew:system"


def folders_of(owner: str) -> list[Key]:
    """Return the folders that are an owner's: a user's, or a team's or the system's as `clew.service` names their owners."""
    if owner == SYSTEM:
        volume = volume_key("system", "system")
    elif owner.startswith(TEAM) and owner != TEAM:
        volume = volume_key("team", owner.removeprefix(TEAM))
    else:
        volume = volume_key("user", owner)
    return [volume, (ATTACHMENTS, fit(owner))]


async def forget_files(files: Files, owner: str, *, dry: bool = False) -> tuple[int, int]:
    """Delete all files of an owner, and look again.

    Args:
        dry: only count.

    Returns:
        how many there were, and how many a last look found; in a dry run both are the same.
    """
    found = await _count(files, owner)
    if dry or not found:
        return found, found
    for folder in folders_of(owner):
        await files.delete_all(folder)
    for mark in [each async for each in _marks(files, owner)]:
        await files.delete(mark)
    return found, await _count(files, owner)


async def _count(files: Files, owner: str) -> int:
    count = 0
    for folder in folders_of(owner):
        cursor: str | None = None
        while True:
            page = await files.list(folder, limit=MAX_PAGE, cursor=cursor)
            count += len(page)
            cursor = page.cursor
            if cursor is None:
                break
    return count + len([each async for each in _marks(files, owner)])


async def _marks(files: Files, owner: str) -> AsyncIterator[Key]:
    part = fit(owner)
    cursor: str | None = None
    while True:
        page = await files.list((UNSENT,), limit=MAX_PAGE, cursor=cursor)
        for each in page:
            if len(each.key) == 4 and each.key[2] == part:
                yield each.key
        cursor = page.cursor
        if cursor is None:
            return
