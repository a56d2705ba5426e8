"""`clew retention`: what a policy deletes, counted or done. One at a time on a store, whoever starts it."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import Annotated, Final

import typer

from ..errors import ConflictError, MissingExtraError
from ..files import Files, connect_files
from ..records import Partition
from ..settings import Settings, mask_url
from ..store import Store, connect
from ..store.retention import Applied, Policy, apply, apply_alone, parse_policy
from .running import open_file, run, settings_of
from .screen import note, progress, say, table, write_json

app = typer.Typer(
    help="Delete what is old or too much, by a policy.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  clew retention show policy.toml    clew retention apply policy.toml --dry-run",
)
Url = Annotated[str | None, typer.Option("--url", help="The store; CLEW_URL, REDIS_URL or the embedded file otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
PolicyFile = Annotated[str, typer.Argument(metavar="POLICY", help="A TOML file.")]

ATTACHED: Final = "chatkit/attachments"
"""The note of threads with attachments, as the ChatKit store writes it."""


@app.command("show", epilog="Examples:  clew retention show policy.toml --json")
def show(policy: PolicyFile, as_json: AsJson = False) -> None:
    """Check a policy, and show its rules."""
    found = _read(policy)
    rules = {**found.kinds, **{f"owner {owner}": rule for owner, rule in found.owners.items()}}
    if as_json:
        owners = {owner: asdict(rule) for owner, rule in found.owners.items()}
        write_json({**{kind: asdict(rule) for kind, rule in found.kinds.items()}, "owners": owners})
        return
    rows = [(name, *("" if value is None else f"{value:g}" for value in asdict(rule).values())) for name, rule in rules.items()]
    table(("whose", "idle days", "item days", "most items"), rows)


@app.command("apply", epilog="Examples:  clew retention apply policy.toml --dry-run    clew retention apply policy.toml --json")
def apply_(
    policy: PolicyFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this one's; everybody's otherwise.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Delete what the policy says. Run it now and then; what breaks off is gone on with by the next."""
    found, settings = _read(policy), settings_of(url, owner)

    async def work() -> None:
        async with connect(settings.url) as store:
            done = await _apply(store, settings, found, owner, dry=dry_run)
        if as_json:
            write_json({"store": mask_url(settings.url), "dry_run": dry_run, **asdict(done)})
            return
        verb = "would delete" if dry_run else "deleted"
        say(f"{verb} {done.deleted:,} threads, and {done.items:,} items of others; {done.threads:,} threads were looked at")
        if done.kept:
            note(f"{done.kept:,} threads were left: written to just now, with attachments, or with checkpoints of a program")

    run(work())


async def _apply(store: Store, settings: Settings, policy: Policy, owner: str | None, *, dry: bool) -> Applied:
    """Apply the policy, or only count; ConflictError where another process applies one."""
    now_us = time.time_ns() // 1000
    with progress() as bar:
        task = bar.add_task("looking" if dry else "applying", total=None)

        def told(done: Applied) -> None:
            bar.update(task, completed=done.threads)

        async with _Attached(store, settings) as kit:
            work = partial(apply, dry=True) if dry else apply_alone
            done = await work(
                store.backend, policy, now_us=now_us, owner=owner, attached=ATTACHED, delete_attached=kit.delete, told=told
            )
    if done is None:
        raise ConflictError("a policy is being applied to this store by another process: let it finish")
    return done


class _Attached:
    """Deletes threads with attachments as the ChatKit store does; files are opened for the first of them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._stack = AsyncExitStack()
        self._files: Files | None = None

    async def delete(self, partition: Partition) -> None:
        """Delete a thread with its attachments; ConflictError where the extra that knows them is not installed."""
        try:
            from ..adapters.chatkit import ChatKitStore
            from ..adapters.chatkit.attachments import ClewAttachmentStore
        except MissingExtraError as error:
            raise ConflictError(str(error)) from error
        if self._files is None:
            self._files = await self._stack.enter_async_context(connect_files(settings=self._settings))
        owner = partition.owner
        attachments: ClewAttachmentStore[str] = ClewAttachmentStore(self._store, self._files, owner, url="none:")
        kit: ChatKitStore[str] = ChatKitStore(self._store, owner=owner, attachments=attachments)
        await kit.delete_thread(partition.name, owner)

    async def __aenter__(self) -> _Attached:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _read(path: str) -> Policy:
    with open_file(path, "rb") as file:
        return parse_policy(file.read().decode(errors="replace"))
