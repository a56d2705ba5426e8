"""`clew keys`: API keys for machines, made, listed and taken back."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import NotFoundError
from ..store import connect
from .running import run, settings_of
from .screen import age, note, out, table, write_json

app = typer.Typer(
    help="API keys with which machines come in to the service.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  clew keys list    clew keys create nightly --user ada",
)

Url = Annotated[str | None, typer.Option("--url", help="The store; CLEW_URL, REDIS_URL or the embedded file otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@app.command(
    epilog="Examples:  clew keys create nightly --user ada    clew keys create bot --user bot --team support --ttl 86400"
)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: Annotated[str, typer.Option("--user", help="Whom it speaks for: their threads are its.")],
    team: Annotated[list[str] | None, typer.Option("--team", help="A team it is in; may be given several times.")] = None,
    system: Annotated[bool, typer.Option("--system", help="It may write the system's volume, which everybody reads.")] = False,
    ttl: Annotated[float | None, typer.Option("--ttl", help="Seconds until it expires; never otherwise.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from ..service.keys import create_key

    settings = settings_of(url, None)

    async def work() -> None:
        async with connect(settings.url) as store:
            made, key = await create_key(store, name, user, teams=team or (), system=system, ttl=ttl)
        if as_json:
            known = {"id": made.id, "name": made.name, "user": made.user, "teams": list(made.teams), "system": made.is_system}
            write_json({**known, "key": key})
            return
        out().print(key, markup=False, highlight=False, soft_wrap=True)
        note(f"this is shown once; clew keys revoke {made.id} takes it back")

    run(work())


@app.command("list", epilog="Examples:  clew keys list    clew keys list --json")
def list_(url: Url = None, as_json: AsJson = False) -> None:
    """List the keys there are, the newest first; the keys themselves nobody can read."""
    from ..service.keys import list_keys

    settings = settings_of(url, None)

    async def work() -> None:
        async with connect(settings.url) as store:
            keys = [each async for each in list_keys(store)]
        if as_json:
            rows = [
                {
                    "id": each.id,
                    "name": each.name,
                    "user": each.user,
                    "teams": list(each.teams),
                    "system": each.is_system,
                    "created_at": each.created_at.isoformat(),
                    "expires_at": None if each.expires_at is None else each.expires_at.isoformat(),
                }
                for each in keys
            ]
            write_json({"keys": rows})
            return
        if not keys:
            note("no keys; clew keys create makes one")
        rows_of = [
            (
                each.id,
                each.name,
                each.user,
                " ".join(each.teams),
                "writes" if each.is_system else "",
                age(each.created_at),
                "never" if each.expires_at is None else each.expires_at.isoformat(timespec="minutes"),
            )
            for each in keys
        ]
        table(("key", "name", "user", "teams", "system", "made", "expires"), rows_of)

    run(work())


@app.command(epilog="Examples:  clew keys revoke 0a1b2c3d4e5f6071")
def revoke(id: Annotated[str, typer.Argument(help="The key's id.")], url: Url = None, as_json: AsJson = False) -> None:
    """Take a key back, for good. Workers that just saw it notice within 5 seconds."""
    from ..service.keys import revoke_key

    settings = settings_of(url, None)

    async def work() -> None:
        async with connect(settings.url) as store:
            if not await revoke_key(store, id):
                raise NotFoundError(f"there is no key {id!r}: clew keys list shows them")
        if as_json:
            write_json({"id": id, "revoked": True})
        else:
            note(f"revoked {id}")

    run(work())
