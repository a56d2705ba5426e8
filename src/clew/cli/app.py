"""The commands: their options, their help, and which function does the work."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from ..errors import InvalidError
from ..model import Ref
from ..settings import mask_url
from ..store import connect
from ..texts import item_text
from . import forgetting, journals, keys, retention
from .exits import FAILED, MEANINGS, UNREADABLE
from .running import open_file, run, settings_of
from .screen import age, clean, item_json, note, out, progress, say, table, thread_json, write_json

app = typer.Typer(
    name="clew",
    help="Keep, show and resume the conversations of AI agents, on Redis or on an embedded file.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + ".",
)
app.add_typer(keys.app, name="keys")
app.add_typer(journals.app, name="journal")
app.add_typer(retention.app, name="retention")

Url = Annotated[str | None, typer.Option("--url", help="The store; CLEW_URL, REDIS_URL or the embedded file otherwise.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Whose threads; CLEW_OWNER or the user's name otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@app.command(epilog='Examples:  clew chat    clew chat --message "My name is Ada." --json    clew chat --thread thr_...')
def chat(
    message: Annotated[str | None, typer.Option("--message", "-m", help="Do one turn with this message, and exit.")] = None,
    thread: Annotated[str | None, typer.Option("--thread", help="Go on in this thread.")] = None,
    url: Url = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Talk with a model; everything said is kept, and can be resumed from anywhere."""
    from .chat import run_menu, run_turn

    settings = settings_of(url, owner)
    if message is None and as_json:
        raise InvalidError("--json needs --message: the menu is for people")
    if message is not None and not message.strip():
        raise InvalidError("--message is empty: say something")
    if message is None:
        run(run_menu(settings.url, settings.owner, thread, settings.source))
    else:
        run(run_turn(settings.url, settings.owner, message, thread, as_json=as_json))


@app.command(epilog="Examples:  clew serve    clew serve --port 8080    clew serve --auth token --host 0.0.0.0 --port 8080")
def serve(
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on; with --auth none an own one. CLEW_HOST or 127.0.0.1 otherwise."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The port; 0 for a free one. CLEW_PORT or 8000 otherwise.", min=0, max=65535)
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            help="token: by tokens and API keys; none: one user of this machine. CLEW_AUTH otherwise; none on an own address."
        ),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="How to log: text, or json for an object a line. CLEW_LOG or text otherwise.")
    ] = None,
    url: Url = None,
    owner: Owner = None,
) -> None:
    """Serve the page and the HTTP API."""
    from ..service.serving import serve as serve_page

    settings = settings_of(url, owner)
    if auth is not None:
        settings = replace(settings, access=settings.access.with_mode(auth))
    if log is not None:
        settings = settings.with_log(log)
    serve_page(settings, settings.host if host is None else host, settings.port if port is None else port, tell=note)


@app.command(epilog="Examples:  clew mcp --owner ada    clew mcp --bare-keys    clew mcp --tools values,coaia")
def mcp(
    url: Url = None,
    owner: Owner = None,
    bare_keys: Annotated[
        bool | None,
        typer.Option(
            "--bare-keys/--own-keys",
            help="Values stand under just their keys, as the coaia command line has them, or under keys of the owner's own; "
            "bare where no owner is named.",
        ),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(help="Which tools: values, coaia, conversations, workflows, with commas between them; all otherwise."),
    ] = None,
) -> None:
    """Serve values, conversations and workflow state to an MCP client, over standard input and output."""
    from ..mcp import GROUPS, serve_stdio

    settings = settings_of(url, owner)
    is_bare = not settings.owner_named if bare_keys is None else bare_keys
    groups = GROUPS if tools is None else [each.strip() for each in tools.split(",")]
    run(serve_stdio(settings.url, settings.owner, bare_keys=is_bare, groups=groups))


@app.command(epilog="Examples:  clew threads    clew threads --limit 100 --json    clew threads --cursor CURSOR")
def threads(
    limit: Annotated[int, typer.Option(help="How many, from 1 to 1,000.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="The cursor of the page before.")] = None,
    url: Url = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """List the saved threads, the newest write first."""
    settings = settings_of(url, owner)

    async def work() -> None:
        async with connect(settings.url) as store:
            page = await store.threads.list(settings.owner, limit=limit, cursor=cursor)
        if as_json:
            write_json({"threads": [thread_json(each) for each in page], "cursor": page.cursor})
            return
        if not page.data:
            note(f"no threads of {settings.owner} in {mask_url(settings.url)}; clew chat starts one")
        titles = [each.title or "" if each.unreadable is None else f"[{each.unreadable}]" for each in page]
        rows = [(each.id, title, age(each.updated_at)) for each, title in zip(page, titles, strict=True)]
        table(("thread", "title", "last written"), rows)
        if page.has_more:
            note(f"more:  clew threads --cursor {page.cursor}")

    run(work())


@app.command(epilog="Examples:  clew show thr_...    clew show thr_... --limit 200 --after ITEM --json")
def show(
    thread: Annotated[str, typer.Argument(help="The thread's id.")],
    limit: Annotated[int, typer.Option(help="How many items, from 1 to 1,000.")] = 100,
    after: Annotated[str | None, typer.Option(help="Start after the item with this id; the newest items otherwise.")] = None,
    url: Url = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Show what a thread holds: the newest items, oldest first."""
    settings = settings_of(url, owner)

    async def work() -> None:
        ref = Ref(settings.owner, thread)
        async with connect(settings.url) as store:
            header = await store.threads.get(ref)
            page = await store.items.page(ref, after=after, limit=limit, newest_first=after is None)
        items = list(page) if after is not None else list(page)[::-1]
        if as_json:
            write_json(
                {
                    "thread": header.id,
                    "title": header.title,
                    "metadata": dict(header.metadata),
                    "revision": header.revision,
                    "items": [item_json(item) for item in items],
                    "has_more": page.has_more,
                }
            )
            return
        if page.has_more and after is None:
            note("older items are not shown: --limit shows more")
        for item in items:
            out().print(Text(f"{clean(item.author or item.kind)}> ", style="bold"), Text(clean(item_text(item))), sep="")
        if page.has_more and after is not None:
            note(f"more:  clew show {thread} --after {items[-1].id}")

    run(work())


@app.command(epilog="Examples:  clew drop thr_... --yes    clew drop thr_... --yes --json")
def drop(
    thread: Annotated[str, typer.Argument(help="The thread's id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Delete a thread and all its items, for good."""
    settings = settings_of(url, owner)

    async def work() -> None:
        ref = Ref(settings.owner, thread)
        async with connect(settings.url) as store:
            header = await store.threads.get(ref)
            if not yes:
                if not sys.stdin.isatty():
                    raise InvalidError("there is nobody to ask: add --yes to delete the thread")
                if not typer.confirm(f"Delete {clean(header.title or header.id)!r} for good?", err=True):
                    note("kept")
                    return
            await store.threads.delete(ref)
        if as_json:
            write_json({"thread": thread, "deleted": True})
        else:
            note(f"deleted {thread}")

    run(work())


app.command(epilog="Examples:  clew forget ada --dry-run    clew forget ada --yes --json    clew forget clew:team:red")(
    forgetting.forget
)


@app.command(
    "export", epilog="Examples:  clew export threads.jsonl    clew export --thread thr_... -    clew export | gzip > all.gz"
)
def export_(
    file: Annotated[str, typer.Argument(help="Where to; - for standard output.")] = "-",
    thread: Annotated[list[str] | None, typer.Option("--thread", help="Only this thread; may be given several times.")] = None,
    url: Url = None,
    owner: Owner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say at the end what was done, as JSON on standard error.")] = False,
) -> None:
    """Write threads as JSON Lines, payloads byte for byte."""
    from .transfer import export_threads

    settings = settings_of(url, owner)

    async def work() -> None:
        with _Counter("exporting") as count:
            async with connect(settings.url) as store:
                if file == "-":
                    await export_threads(store, settings.owner, thread, sys.stdout.buffer.write, count.step)
                    sys.stdout.buffer.flush()
                else:
                    with open_file(file, "wb") as target:
                        await export_threads(store, settings.owner, thread, target.write, count.step)
        count.tell("exported", as_json, stderr=True)

    run(work())


@app.command(
    "import",
    epilog="Examples:  clew import threads.jsonl    zcat all.gz | clew import -    "
    "clew import --layout openai-agents redis://HOST --dry-run    (run it again to go on)",
)
def import_(
    file: Annotated[str, typer.Argument(help="Where from; - for standard input. With --layout, the other library's URL.")] = "-",
    layout: Annotated[
        str | None,
        typer.Option(help="What another library keeps, as langgraph-redis or openai-agents; a wrong name lists all."),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="With --layout: what its keys begin with, where that was changed.")] = None,
    write_prefix: Annotated[
        str | None, typer.Option(help="With --layout langgraph-redis: what the keys of its writes begin with.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --layout: count what there is, and write nothing.")] = False,
    url: Url = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Read threads that `clew export` wrote, or another library. What is there already stays; an interrupted import goes on when
    run again."""
    from .moving import move_in
    from .transfer import import_threads

    settings = settings_of(url, owner)
    if layout is not None:
        if not run(move_in(layout, file, settings, prefix, write_prefix, as_json=as_json, dry_run=dry_run)):
            raise typer.Exit(UNREADABLE)
        return
    if prefix is not None or write_prefix is not None or dry_run:
        raise InvalidError("--prefix, --write-prefix and --dry-run belong to --layout")

    async def work() -> None:
        with _Counter("importing") as count:
            async with connect(settings.url) as store:
                if file == "-":
                    await import_threads(store, settings.owner, sys.stdin.buffer, count.step)
                else:
                    with open_file(file, "rb") as source:
                        await import_threads(store, settings.owner, source, count.step)
        count.tell("imported", as_json)

    run(work())


@app.command(epilog="Examples:  clew copy sqlite:///chat.db redis://localhost:6379/0    clew copy FROM TO --thread thr_...")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to read.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The store to write.")],
    thread: Annotated[list[str] | None, typer.Option("--thread", help="Only this thread; may be given several times.")] = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Copy threads from one store to another. What is there already stays; run it again to go on."""
    from .transfer import copy_threads

    settings = settings_of(source, owner)

    async def work() -> None:
        with _Counter("copying") as count:
            async with connect(settings.with_coding(source)) as left, connect(settings.with_coding(target)) as right:
                await copy_threads(left, right, settings.owner, thread, count.step)
        count.tell("copied", as_json)

    run(work())


@app.command(epilog="Examples:  clew doctor    clew doctor redis://localhost:6379/0 --json")
def doctor(url: Annotated[str | None, typer.Argument(help="The store.")] = None, as_json: AsJson = False) -> None:
    """Look at a store: what it is, and whether everything clew does with it works."""
    from .doctor_files import examine_all

    settings = settings_of(url, None)

    async def work() -> bool:
        found = []
        if not as_json:
            say(f"store: {mask_url(settings.url)}", style="bold")
        async for check in examine_all(settings):
            found.append(check)
            if not as_json:
                mark, style = {True: ("ok  ", "green"), False: ("FAIL", "red"), None: ("look", "yellow")}[check.ok]
                out().print(Text(mark, style=style), Text(f"  {clean(check.name)}: {clean(check.detail)}"), sep="")
        well = all(check.ok is not False for check in found)
        if as_json:
            checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in found]
            write_json({"store": mask_url(settings.url), "ok": well, "checks": checks})
        return well

    if not run(work()):
        raise typer.Exit(FAILED)


@app.command(epilog="Examples:  clew conform sqlite:///try.db    clew conform redis://localhost:6379/0 --json")
def conform(url: Annotated[str, typer.Argument(help="The store to judge.")], as_json: AsJson = False) -> None:
    """Judge a store by clew's conformance suite; it writes under names of its own, and deletes them."""
    from ..conformance import run as judge

    async def reach() -> None:
        # One that is away, or lets nobody in, would fail each test in turn.
        async with connect(url):
            pass

    run(reach())
    with progress() as bar:
        task = bar.add_task("judging", total=None)
        report = judge(url, on_test=lambda test, outcome: bar.update(task, advance=1, description=clean(test)[:60]))
    if as_json:
        write_json(report.to_json())
    else:
        say(f"{mask_url(url)}: level {report.level}, {report.passed} passed, {report.failed} failed, {report.skipped} skipped")
        for test, reason in report.failures:
            say(f"  {test}: {reason}")
    if report.failed:
        raise typer.Exit(FAILED)


class _Counter:
    """Counts what is done, on a bar where there is a terminal."""

    def __init__(self, what: str) -> None:
        self._bar = progress()
        self._task = self._bar.add_task(what, total=None)
        self.done = {"thread": 0, "item": 0}

    def __enter__(self) -> _Counter:
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, kind: str) -> None:
        self.done[kind] += 1
        if kind == "item":
            self._bar.advance(self._task)

    def tell(self, verb: str, as_json: bool, *, stderr: bool = False) -> None:
        if not as_json:
            note(f"{verb} {self.done['thread']} threads, {self.done['item']} items")
        elif stderr:
            sys.stderr.write(json.dumps({"threads": self.done["thread"], "items": self.done["item"]}) + "\n")
        else:
            write_json({"threads": self.done["thread"], "items": self.done["item"]})
