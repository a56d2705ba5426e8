"""What `clew doctor` tells of the files that belong to a store: where they are, and whether they are encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from ..errors import ClewError
from ..files import connect_files, parse_files_url, url_beside
from ..files.looking import look
from ..settings import Settings, mask_url
from .doctor import Check, examine
from .running import is_there


async def examine_all(settings: Settings) -> AsyncIterator[Check]:
    """Yield each check of the store, and of the files that belong to it, as it is done."""
    async for check in examine(settings.url, settings.owner):
        yield check
    async for check in examine_files(settings):
        yield check


async def examine_files(settings: Settings) -> AsyncIterator[Check]:
    """Yield where the files are, how they are encrypted, and what a sample of the owner's is. No folder is made for that."""
    try:
        url = settings.files_url or url_beside(settings.url)
        place = parse_files_url(url)
        shown = mask_url(url)
        if isinstance(place, Path) and not is_there(place) and (settings.files_url is None or place.parent.is_dir()):
            yield Check("files", True, f"{shown}: nothing there yet")
            return
        async with connect_files(settings=settings) as files:
            sample = await look(files, settings.owner)
    except ClewError as error:
        yield Check("files", False, str(error))
        return
    yield Check("files", True, f"{shown}: {sample.encryption}")
    counts = ", ".join(f"{count} {form}" for form, count in sorted(sample.forms.items()))
    newest = sample.newest_key
    if sample.unreadable:
        yield Check("sample of files", False, f"{counts}; {sample.unreadable} cannot be read: {sample.why}")
    elif newest is not None and set(sample.forms) - {f"key {newest}"}:
        yield Check("sample of files", None, f"{counts}: not all of it has the newest key, {newest}; keep the older keys")
    elif set(sample.forms) - {"plain"}:
        yield Check("sample of files", True, counts)
