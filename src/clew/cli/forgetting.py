"""`clew forget`: an owner is erased everywhere clew keeps something of theirs, and a last look proves that nothing is left."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import typer

from ..errors import InvalidError
from ..limits import MAX_PAGE, check_id, check_value_key
from ..records import Partition
from ..schemes import open_backend
from ..settings import Settings, mask_url
from ..store import Owned, Store, connect, owned_keys
from ..wrappers import take_options as take_coding
from ..wrappers.journal import drain, take_options
from ..wrappers.journal.forgetting import count_kept, forget_refused
from .exits import FAILED
from .running import is_there, run, settings_of
from .screen import clean, note, progress, say, write_json

KEYS_OWNER: Final = "clew:keys"
"""The owner of the records of the service's API keys."""

DRAIN_S: Final = 60.0
"""Seconds that one journal may take to be written to the store."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, what is left, and what is to be known about it."""

    found: Mapping[str, int]
    left: Mapping[str, int]
    notes: Sequence[str]


def forget(
    owner: Annotated[str, typer.Argument(help="Whose: a user's id; clew:team:NAME for a team.")],
    prefix: Annotated[
        list[str] | None,
        typer.Option("--prefix", help="Literal keys of theirs besides, by how they begin; may be given several times."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_scrub: Annotated[
        bool, typer.Option("--no-scrub", help="Leave the bytes of what was erased in the free pages of a SQLite file.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", help="The store; CLEW_URL, REDIS_URL or the embedded file otherwise.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Erase everything of an owner, for good: threads, runs, values, routes, files, API keys. Then prove that nothing is left."""
    settings = settings_of(url, None)
    check_id(owner, "the owner")
    keys = [*_keys_of(settings, owner), *(Owned(check_value_key(each)) for each in prefix or ())]

    async def work() -> bool:
        # Past the journal, which takes writes and deletes nothing: its files are gone through apart.
        async with connect(take_options(settings.url)[0]) as store:
            if not dry_run and not yes:
                if not sys.stdin.isatty():
                    raise InvalidError("there is nobody to ask: add --yes to erase the owner, or --dry-run to count")
                before = await _erase(store, settings, owner, keys, dry=True, scrub=False)
                _tell(before.found, "found")
                if not before.found or not typer.confirm(f"Erase all of {clean(owner)!r} for good?", err=True):
                    note("nothing was erased")
                    return True
            done = await _erase(store, settings, owner, keys, dry=dry_run, scrub=not no_scrub)
        well = dry_run or not done.left
        if as_json:
            value: dict[str, Any] = {"owner": owner, "store": mask_url(settings.url), "files": _files_place(settings)}
            value |= {"dry_run": dry_run, "found": done.found, "left": done.left, "notes": list(done.notes)}
            write_json(value)
            return well
        _tell(done.found, "found" if dry_run else "erased")
        if not dry_run:
            _tell(done.left, "left")
        for each in done.notes:
            note(f"not in reach: {each}")
        if not well:
            note("somebody still writes for this owner: end that, and run it again", style="red")
        return well

    if not run(work()):
        raise typer.Exit(FAILED)


async def _erase(store: Store, settings: Settings, owner: str, keys: Sequence[Owned], *, dry: bool, scrub: bool) -> Looked:
    """Erase in the store and the file store, or only count; what speaks for the owner goes first."""
    with progress() as bar:
        task = bar.add_task("looking" if dry else "erasing", total=None)
        found, left = Counter[str](), Counter[str]()
        found["API keys"], unread = await _erase_api_keys(store, owner, dry=dry)
        left["API keys"] = (await _erase_api_keys(store, owner, dry=True))[0] if found["API keys"] else 0
        # Whose they are cannot be told, so that nothing is proven.
        left["API keys that cannot be read"] = unread
        found["writes in journals"], notes = await _erase_journals(settings, owner, dry=dry)
        done = await store.forget(
            owner, keys=keys, dry=dry, scrub=scrub, told=lambda counts: bar.update(task, advance=sum(counts.values()))
        )
        found.update(done.found)
        left.update(done.left)
        found["files"], left["files"] = await _erase_files(settings, owner, dry=dry)
        left["writes in journals"] = (await _erase_journals(settings, owner, dry=True))[0]
    return Looked(+found, +left, [*done.notes, *notes])


async def _erase_api_keys(store: Store, owner: str, *, dry: bool) -> tuple[int, int]:
    """Take back the API keys that speak for the owner, and return how many there were, and how many records cannot be read."""
    names: list[str] = []
    unread, cursor = 0, None
    while True:
        page = await store.threads.list(KEYS_OWNER, limit=MAX_PAGE, cursor=cursor)
        names += [each.id for each in page if each.metadata.get("user") == owner]
        unread += sum(each.unreadable is not None for each in page)
        cursor = page.cursor
        if not page.has_more:
            break
    for name in [] if dry else names:
        # Without a tombstone: no other key ever has this name.
        await store.backend.drop(Partition(KEYS_OWNER, name), tombstone_ms=0)
    return len(names), unread


async def _erase_journals(settings: Settings, owner: str, *, dry: bool) -> tuple[int, list[str]]:
    """Write what waits on this machine to the store, where it is erased, and forget what the store refused of the owner's."""
    plain, options = take_options(settings.url)
    if options is None:
        return 0, []
    found = count_kept(options.folder, owner)
    if dry:
        return found, []
    if found:
        backend = await open_backend(take_coding(plain)[0])
        try:
            await drain(backend, plain, options, seconds=DRAIN_S)
        finally:
            await backend.aclose()
    busy = forget_refused(options.folder, owner)
    notes = [f"the journal {path.stem} is in use, and may keep the bytes of what was written since" for path in busy]
    return found, [*notes, "journals of other machines: run this there too, before it is run here"]


async def _erase_files(settings: Settings, owner: str, *, dry: bool) -> tuple[int, int]:
    from ..files import connect_files, parse_files_url
    from ..files.forgetting import forget_files

    place = parse_files_url(_files_url(settings))
    if isinstance(place, Path) and not is_there(place):
        return 0, 0
    async with connect_files(settings=settings) as files:
        return await forget_files(files, owner, dry=dry)


def _keys_of(settings: Settings, owner: str) -> list[Owned]:
    namespace = (parse_qs(settings.url.partition("?")[2].partition("#")[0]).get("namespace") or ["clew"])[0]
    return owned_keys(owner, namespace=namespace, chat_prefix=settings.chat_prefix)


def _files_url(settings: Settings) -> str:
    from ..files import url_beside

    return settings.files_url or url_beside(settings.url)


def _files_place(settings: Settings) -> str:
    return mask_url(_files_url(settings))


def _tell(counts: Mapping[str, int], verb: str) -> None:
    """Write a line: what there is of each kind."""
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    say(f"{verb}: {told or 'nothing'}")
