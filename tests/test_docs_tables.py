"""The tables and lists of the documentation are what the code does: keys, options, access, errors, words."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path

import pytest
import typer

from clew import errors, limits, run_limits, settings
from clew.assistant import models
from clew.backend import Cataloguing, Expiry, Leasing, Listing, Running
from clew.backends.redis import keys, options, runs_keys
from clew.backends.sqlite import address
from clew.checkpointing import Checkpointing
from clew.checkpoints import Part, PutCheckpoint, PutWrites, Span, Write
from clew.cli import exits
from clew.cli.app import app
from clew.codec import make_entry
from clew.conformance.checkpoints_support import data_of
from clew.ids import new_id
from clew.nearest import Nearest
from clew.records import Append, Change, Partition, PutDocument
from clew.runs import EventId, Retention, RunEvent
from clew.schemes import SCHEMES, open_backend
from servers import Server

from .conftest import Pool
from .support import with_options

DOCS = Path(__file__).resolve().parent.parent / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text()
ERRORS = (DOCS / "errors.md").read_text()
REDIS = (DOCS / "backends/redis.md").read_text()
SQLITE = (DOCS / "backends/sqlite.md").read_text()


def rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose first heading is `first`, heading and rule left out."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def words(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def key_pattern(shown: str) -> re.Pattern[str]:
    """Return what matches the keys that a row of the key table stands for."""
    return re.compile(re.sub(r"<[^>]+>", r"[^/:{}]+", re.escape(shown).replace("\\<", "<").replace("\\>", ">")))


# -- keys ---------------------------------------------------------------------------------------------------------------


def test_the_key_table_is_the_key_builders() -> None:
    assert rows(REDIS, "key") == rows(keys.__doc__ or "", "key") + rows(runs_keys.__doc__ or "", "key")


async def test_every_key_on_a_server_is_in_the_table_with_its_type_and_the_acl_of_the_docs_suffices(pool: Pool) -> None:
    server = pool.get("redis-8.2")
    assert isinstance(server, Server)
    rule = re.search(r"^ACL SETUSER (.+)$", REDIS, re.MULTILINE)
    assert rule is not None
    namespace, password = f"t{new_id()[-8:]}", new_id()
    user, *rights = rule[1].replace("PASSWORD", password).replace("clew:*", f"{namespace}:*").split()
    table = [(key_pattern(words(row[0])[0]), row[1]) for row in rows(REDIS, "key")]
    backend, other = Partition("ada", "a/b:{c}"), Partition("ada", "gone")
    server.call("ACL", "SETUSER", user, *rights)
    try:
        store = await open_backend(with_options(server.url_for(user, password), namespace=namespace))
        try:
            assert isinstance(store, Listing)
            assert isinstance(store, Cataloguing)
            assert isinstance(store, Leasing)
            assert isinstance(store, Expiry)
            assert isinstance(store, Running)
            assert isinstance(store, Checkpointing)
            changes: list[Change] = [PutDocument("title", b"1"), Append("items", make_entry("a", b"{}"))]
            await store.commit(backend, changes, once="t", listed=True)
            # So many that the ids of the first are filed, and one that waits.
            await store.commit(backend, [Append("more", make_entry(f"m{n}", b"{}")) for n in range(300)])
            await store.commit(backend, [Append("more", make_entry("last", b"{}"))])
            put = PutCheckpoint("", "1", None, b"{}", ("a\0001",), {"a\0001": Part(b"1", spans=(Span(1, 1),))})
            await store.commit(backend, [put, PutWrites("", "1", (Write("", "task", 0, "a", b"2"),))])
            assert data_of(await store.get_checkpoint(backend, "")) == {1: ("json", b"{}")}
            assert isinstance(store, Nearest)
            assert not await store.knows_nearest()
            added = re.search(r"add `([^`]*vsim[^`]*)`", REDIS)
            assert added is not None
            server.call("ACL", "SETUSER", user, *added[1].split())
            searching = await open_backend(with_options(server.url_for(user, password), namespace=namespace))
            assert isinstance(searching, Nearest)
            assert await searching.put_nearest(backend, "index", {"a": bytes(4)}, begin=True)
            assert await searching.find_nearest(backend, "index", bytes(4), count=1)
            await searching.aclose()
            await store.claim(backend, "writer", "me", ttl_ms=60_000)
            assert [entry.id for entry in (await store.read(backend, "items", after=0)).entries] == ["a"]
            assert (await store.fetch(backend)).documents == {"title": b"1"}
            assert [entry.id for entry in (await store.read(backend, "items", after="a", inclusive=True)).entries] == ["a"]
            assert [line.name for line in await store.list("ada")] == [backend.name]
            assert [name for name, _ in (await store.catalogue("ada")).partitions] == [backend.name]
            async with asyncio.timeout(10):
                async for entry in store.follow(backend, "items"):
                    assert entry.id == "a"
                    break
            await store.commit(other, changes, listed=True)
            for partition in (backend, other):
                run = await store.start_run(partition, "a/run", "me", lease_ms=60_000, takes_turn=True, retention=Retention())
                await store.append_events(partition, run, [RunEvent(EventId(1, 1), "event", b"1")])
            async with asyncio.timeout(10):
                async for event in store.follow_events(backend, run.id):
                    if event.at.seq:
                        break
            assert await store.drop(other)
            found = server.call("KEYS", f"{namespace}:*")
            assert isinstance(found, list)
            kinds = {key: str(server.call("TYPE", key)) for key in found}
            await store.expire(backend, 60_000)
            await store.drop(backend, tombstone_ms=1)
            await store.drop(other, tombstone_ms=0)
        finally:
            await store.aclose()
    finally:
        server.call("ACL", "DELUSER", user)
        for key in server.call("KEYS", f"{namespace}:*") or ():  # type: ignore[attr-defined]  # a list
            server.call("DEL", key)
    shown = set()
    for key, kind in kinds.items():
        matched = [(pattern.pattern, type_) for pattern, type_ in table if pattern.fullmatch(key)]
        assert [type_ for _, type_ in matched] == [kind], f"{key} is a {kind}; the table says {matched}"
        shown.add(matched[0][0])
    assert shown == {pattern.pattern for pattern, type_ in table if type_ != "channel"}, "a row that no key was found for"


# -- options of the URLs ------------------------------------------------------------------------------------------------


def test_the_redis_options_in_the_docs_are_those_the_url_takes() -> None:
    shown = [name for row in rows(REDIS, "option") for name in words(row[0])]
    assert sorted(shown) == sorted(re.split(r",\s*", options.KNOWN))


def test_the_defaults_of_redis_options_in_the_docs_are_the_codes() -> None:
    made = options.parse_url("redis://localhost")
    for name, default, _ in ((words(row[0])[0], row[1], row[2]) for row in rows(REDIS, "option")):
        if default.startswith("`") and hasattr(made, name):
            value = getattr(made, name)
            said = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
            assert default == f"`{said}`", name


def test_the_sqlite_options_in_the_docs_are_those_the_url_takes() -> None:
    assert sorted(words(row[0])[0] for row in rows(SQLITE, "option")) == sorted(address.OPTIONS)
    made = address.parse_address("sqlite:///clew.db")
    shown = {words(row[0])[0]: row[1] for row in rows(SQLITE, "option")}
    assert shown == {"synchronous": f"`{made.synchronous}`", "timeout": f"`{made.timeout_s:g}`", "max_bytes": "none"}
    assert all(f"`{mode}`" in SQLITE for mode in address.SYNCHRONOUS)
    assert f"{address.LEAST_BYTES:,}" in SQLITE


@pytest.mark.parametrize("page", [REDIS, SQLITE], ids=["redis", "sqlite"])
def test_every_scheme_shown_is_known(page: str) -> None:
    shown = set(re.findall(r"\b([a-z+]+)://", page)) - {"https", "http"}
    assert shown <= set(SCHEMES)


# -- words --------------------------------------------------------------------------------------------------------------


def test_the_glossary_has_each_word_once_in_order() -> None:
    terms = re.findall(r"^(?:<a [^>]+></a>)?\*\*([^*]+)\*\*:", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(terms) > 40
    assert terms == sorted(set(terms))


def test_every_error_is_explained_once() -> None:
    shown = [words(row[0])[0] for row in rows(ERRORS, "error")]
    raised = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ClewError)]
    assert sorted(shown) == sorted(raised)


def test_every_error_has_its_exit_code() -> None:
    for name, _, _, code in rows(ERRORS, "error"):
        kind = getattr(errors, words(name)[0])
        error = kind("it", "redis") if kind is errors.MissingExtraError else kind("it")
        assert code == str(exits.exit_code(error)), name


def test_the_exit_codes_in_the_docs_are_the_commands() -> None:
    assert rows((DOCS / "cli.md").read_text(), "code") == [[str(code), meaning] for code, meaning in exits.MEANINGS.items()]


def test_every_variable_is_in_the_table_and_in_the_example_file() -> None:
    read = set(settings.KNOWN + settings.OF_COMMANDS + settings.OF_REDIS)
    read |= set(re.findall(r'"((?:CLEW|OPENAI|AOAI|AZURE_OPENAI)_[A-Z_]+)"', inspect.getsource(models)))
    table = rows(CONFIGURATION, "variable")
    shown = [words(row[0])[0] for row in table]
    # A second name of the same thing stands in its row.
    assert read == set(shown) | {name for row in table for name in words(row[2]) if name in read}
    example = re.findall(r"^# ([A-Z_]+)=", (DOCS.parent / ".env.example").read_text(), re.MULTILINE)
    assert set(example) == set(shown)


def test_the_flags_of_serve_in_the_docs_are_the_commands_and_name_their_variables() -> None:
    command = typer.main.get_command(app).get_command(None, "serve")  # type: ignore[attr-defined]  # a group's
    known = {flag: each.help for each in command.params for flag in each.opts if flag != "--help"}
    shown = {words(row[3])[0]: words(row[0])[0] for row in rows(CONFIGURATION, "variable") if row[3]}
    assert set(shown) == set(known)
    assert {flag for flag, variable in shown.items() if variable not in known[flag]} == set()


def test_the_limits_of_runs_in_the_docs_are_the_codes() -> None:
    shown = {words(row[0])[0]: row[1] for row in rows((DOCS / "runs.md").read_text(), "limit of runs")}
    known = {name: value for name, value in vars(run_limits).items() if re.fullmatch("(MAX|LEAST|MOST)_.*", name)}
    # The others are those of limits.py.
    assert shown == {name: f"{value:,}" for name, value in known.items() if not hasattr(limits, name)}


def test_the_limits_in_the_docs_are_the_codes() -> None:
    shown = {words(row[0])[0]: row[1] for row in rows(CONFIGURATION, "limit")}
    known = {name: value for name, value in vars(limits).items() if name.isupper() and isinstance(value, int) and value > 0}
    assert shown == {name: f"{value:,}" for name, value in known.items()}
