"""`clew journal`: what waits on this machine for a store that was away, and what the store refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InvalidError, NotFoundError
from ..schemes import open_backend
from ..wrappers import take_options as take_coding
from ..wrappers.journal import Options, drop_aside, find_journals, take_options
from ..wrappers.journal import drain as drain_journals
from .running import is_there, run, settings_of
from .screen import age, note, table, write_json

app = typer.Typer(
    help="Writes that wait on this machine while the store is away.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  clew journal list    clew journal drain",
)

Url = Annotated[str | None, typer.Option("--url", help="The store; CLEW_URL, REDIS_URL or the embedded file otherwise.")]
Folder = Annotated[str | None, typer.Option("--folder", help="The journals' folder; the URL's or CLEW_JOURNAL otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


def _choose(url: str | None, folder: str | None) -> tuple[str, Options]:
    """Return the store's URL without its journal, and the journal."""
    plain, options = take_options(settings_of(url, None).url)
    if folder == "":
        raise InvalidError("--folder is empty: name the journals' folder")
    if folder is not None:
        return plain, Options(Path(folder).absolute())
    if options is None:
        raise InvalidError("no journal is chosen: set CLEW_ON_OUTAGE=journal, or name its folder by --folder")
    return plain, options


@app.command("list", epilog="Examples:  clew journal list    clew journal list --folder /var/lib/clew/journal --json")
def list_(url: Url = None, folder: Folder = None, as_json: AsJson = False) -> None:
    """List the journals of a folder: how many writes wait in each, and those that a store refused for good."""
    _, options = _choose(url, folder)
    found = find_journals(options.folder)
    if as_json:
        journals = [
            {
                "name": each.path.stem,
                "store": each.store,
                "waiting": each.depth,
                "refused": [
                    {
                        "number": line.seq,
                        "owner": line.partition.owner,
                        "thread": line.partition.name,
                        "bytes": line.size,
                        "reason": line.reason,
                        "refused_at": datetime.fromtimestamp(line.refused_ms / 1000, UTC).isoformat(),
                    }
                    for line in each.aside
                ],
            }
            for each in found
        ]
        write_json({"folder": str(options.folder), "journals": journals})
        return
    if not found:
        note(f"no journals in {options.folder}")
        return
    rows = [(each.path.stem, each.store, str(each.depth), str(len(each.aside))) for each in found]
    table(("journal", "store", "waiting", "refused"), rows)
    refused = [(each.path.stem, line) for each in found for line in each.aside]
    if refused:
        lines = [
            (name, str(line.seq), line.partition.name, age(datetime.fromtimestamp(line.refused_ms / 1000, UTC)), line.reason)
            for name, line in refused
        ]
        table(("journal", "number", "thread", "refused", "why"), lines)


@app.command(epilog="Examples:  clew journal drain    clew journal drain --timeout 600")
def drain(
    url: Url = None,
    folder: Folder = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds that one journal may take.")] = 60.0,
) -> None:
    """Write to the store what waits for it here. A journal that a process has open is left to that process."""
    plain, options = _choose(url, folder)
    if not 0 < timeout < float("inf"):
        raise InvalidError("--timeout must be a number of seconds above 0")

    async def work() -> None:
        # What waits is as the store has it, encrypted too: it goes past what stands around the store.
        backend = await open_backend(take_coding(plain)[0])
        try:
            busy = await drain_journals(backend, plain, options, seconds=timeout)
        finally:
            await backend.aclose()
        for path in busy:
            note(f"{Path(path).stem} is open in another process, which drains it")
        note("drained")

    run(work())


@app.command(epilog="Examples:  clew journal drop 1f2e3d4c5b6a-1 17    clew journal drop 1f2e3d4c5b6a-1")
def drop(
    name: Annotated[str, typer.Argument(help="The journal, as `clew journal list` shows it.")],
    numbers: Annotated[list[int] | None, typer.Argument(help="Which refused writes; all of them otherwise.")] = None,
    url: Url = None,
    folder: Folder = None,
) -> None:
    """Forget writes that the store refused for good. What waits is never dropped."""
    _, options = _choose(url, folder)
    path = options.folder / f"{name}.db"
    if Path(name).name != name or not is_there(path):
        raise NotFoundError(f"there is no journal {name!r} in {options.folder}: clew journal list shows them")
    dropped = drop_aside(path, numbers or [])
    if numbers and not dropped:
        raise NotFoundError(f"no refused write of {name!r} has one of these numbers: clew journal list shows them")
    note(f"dropped {dropped}")
