"""What another saver keeps may be broken, hidden, or no checkpoint at all: it is told and left, and the rest is moved."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, empty_checkpoint
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

import clew
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.moving import Report, move
from clew.adapters.langgraph.moving.plainredis import open_plainredis
from clew.adapters.langgraph.moving.redis_json import open_redis_json
from clew.adapters.langgraph.moving.values import make_serde
from clew.limits import MAX_DATA_BYTES
from servers import Server

from ...conftest import Pool
from .peers import file_of, open_peer

OWNER = "ada"
KEY = "sixteen bytes ok"


async def put(saver: BaseCheckpointSaver[Any], thread: str, ids: str = "123", value: Any = "x") -> None:
    """Put a few checkpoints in a row, each with a value of its own and a write."""
    parent = None
    for id in ids:
        configurable: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": ""}
        if parent:
            configurable["checkpoint_id"] = parent
        versions: dict[str, str | int | float] = {"a": f"{id}.0"}
        values = {"a": value}
        checkpoint: Checkpoint = {**empty_checkpoint(), "id": id, "channel_values": values, "channel_versions": versions}
        await saver.aput({"configurable": configurable}, checkpoint, {"source": "loop", "step": int(id)}, versions)
        written: RunnableConfig = {"configurable": {**configurable, "checkpoint_id": id}}
        await saver.aput_writes(written, [("a", value), ("b", value)], f"task{id}", "~path")
        parent = id


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A SQLite store of the test's own."""
    return f"sqlite:///{tmp_path / 'clew.db'}"


async def bring(layout: str, source: str, store: clew.Store, **options: str) -> Report:
    """Move all of it."""
    return await move(layout, source, store, OWNER, lambda _: None, **options)


async def ids_in(store: clew.Store, thread: str = "t") -> list[str]:
    """Return which checkpoints a thread has, the oldest first."""
    saver = ClewSaver(store, owner=OWNER)
    found = [each.config["configurable"]["checkpoint_id"] async for each in saver.alist({"configurable": {"thread_id": thread}})]
    return found[::-1]


def told(report: Report) -> list[tuple[str, str | None]]:
    """Return what was left, and of which checkpoint."""
    assert report.left == len(report.details)
    return sorted(((broken.kind, broken.id) for broken in report.details), key=str)


async def test_broken_rows_of_sqlite_are_told_and_left(store: clew.Store, tmp_path: Path) -> None:
    source = file_of(tmp_path)
    async with open_peer("langgraph-sqlite", source) as saver:
        await put(saver, "t", "123456")
    with sqlite3.connect(tmp_path / "langgraph.db") as db:
        db.execute("UPDATE checkpoints SET checkpoint = x'c1ff' WHERE checkpoint_id = '2'")
        db.execute("UPDATE checkpoints SET metadata = '{\"step\": ' WHERE checkpoint_id = '3'")
        db.execute("UPDATE checkpoints SET type = 'pickle' WHERE checkpoint_id = '4'")
        db.execute("UPDATE writes SET value = x'c1', idx = 0 WHERE checkpoint_id = '5' AND channel = 'a'")
        db.execute("INSERT INTO checkpoints VALUES (x'00ff', '', 'x', NULL, 'msgpack', x'80', '{}')")
        db.execute("INSERT INTO checkpoints VALUES (CAST(x'ff' AS TEXT), '', 'x', NULL, 'msgpack', x'80', '{}')")
        db.execute("INSERT INTO checkpoints VALUES ('', '', 'x', NULL, 'msgpack', x'80', '{}')")
    report = await bring("langgraph-sqlite", source, store)
    db.close()
    assert told(report) == sorted(
        [("checkpoint", None), ("checkpoint", None), ("checkpoint", "x"), *[("checkpoint", id) for id in "234"], ("write", "5")],
        key=str,
    )
    assert await ids_in(store) == ["1", "5", "6"]
    assert "pickle" in next(broken.reason for broken in report.details if broken.id == "4")
    found = await ClewSaver(store, owner=OWNER).aget_tuple({"configurable": {"thread_id": "t", "checkpoint_id": "5"}})
    assert found is not None
    assert found.pending_writes == [("task5", "b", "x")]
    assert found.parent_config == {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "4"}}


async def test_broken_keys_of_plainredis_are_told_and_left(store: clew.Store, pool: Pool) -> None:
    server = pool.get("redis-6.2")
    assert isinstance(server, Server)
    try:
        async with open_peer("langgraph-plainredis", server.url) as saver:
            await put(saver, "t", "123456")
            await put(saver, "u", "1")
        server.call("SET", "lg:cp:t::1", "no JSON")
        server.call("DEL", "lg:cp:t::2")
        server.call("DEL", "lg:cp:t::3")
        server.call("HSET", "lg:cp:t::3", "another", "type")
        server.call("DEL", "lg:blob:t::a:4.0")
        server.call("HSET", "lg:wr:t::5", "task5:0", '{"t": "msgpack", "d": "!"}')
        server.call("HSET", "lg:threads", "lg:idx:broken", "{")
        server.call("HSET", "lg:threads", "lg:idx:odd", '{"thread": 1, "ns": ""}')
        server.call("HSET", "lg:threads", "lg:idx:half", '{"thread": "\\ud800", "ns": ""}')
        server.call("HSET", "lg:threads", "lg:idx:expired", '{"thread": "e", "ns": ""}')
        report = await bring("langgraph-plainredis", server.url, store)
        assert told(report) == [
            ("checkpoint", "1"),
            ("checkpoint", "3"),
            ("thread", None),
            ("thread", None),
            ("thread", None),
            ("value", "4"),
            ("write", "5"),
        ]
        assert await ids_in(store) == ["4", "5", "6"]
        assert (await bring("langgraph-plainredis", server.url, store, prefix="other")).threads == 0
    finally:
        server.call("FLUSHALL")


async def test_broken_documents_of_redis_are_told_and_left(store: clew.Store, pool: Pool) -> None:
    server = pool.get("redis-stack")
    assert isinstance(server, Server)
    try:
        async with open_peer("langgraph-redis", server.url) as saver:
            await put(saver, "t", "12345")
        key = "checkpoint:t:__empty__:"
        server.call("SET", "checkpoint:string", "no document")
        server.call("JSON.SET", "checkpoint:number", "$", "7")
        server.call("JSON.SET", "checkpoint:odd", "$", '{"thread_id": 7, "checkpoint_ns": "", "checkpoint_id": "x"}')
        server.call("JSON.SET", f"{key}1", "$.checkpoint", "null")
        server.call("JSON.SET", f"{key}2", "$.metadata", '"{"')
        server.call("DEL", f"{key}3")
        server.call("JSON.SET", "checkpoint_write:t:__empty__:4:task4:0", "$.blob", '"e30x"')
        report = await bring("langgraph-redis", server.url, store)
        assert told(report) == sorted(
            [("checkpoint", None)] * 3 + [("checkpoint", "1"), ("checkpoint", "2"), ("write", "4")], key=str
        )
        assert await ids_in(store) == ["4", "5"]
    finally:
        server.call("FLUSHALL")


async def test_what_a_program_writes_meanwhile_comes_with_the_next_run(store: clew.Store, tmp_path: Path) -> None:
    source = file_of(tmp_path)
    async with open_peer("langgraph-sqlite", source) as saver:
        await put(saver, "t", "123")
        assert (await bring("langgraph-sqlite", source, store)).writes == 6
        late: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "3"}}
        await saver.aput_writes(late, [("a", "late"), ("__interrupt__", "stop")], "task4")
        await put(saver, "t", "4")
        await put(saver, "u", "1")
        report = await bring("langgraph-sqlite", source, store)
        assert (report.there, report.checkpoints, report.writes) == (3, 2, 6)
    assert (await ids_in(store), await ids_in(store, "u")) == (["1", "2", "3", "4"], ["1"])
    ours = ClewSaver(store, owner=OWNER)
    # What was done here since is not what was done there.
    await ours.aput_writes(late, [("__interrupt__", "answered")], "task4")
    assert (await bring("langgraph-sqlite", source, store)).writes == 0
    found = await ours.aget_tuple(late)
    assert found is not None
    assert found.pending_writes == [
        ("task4", "__interrupt__", "answered"),
        ("task4", "a", "late"),
        ("task3", "a", "x"),
        ("task3", "b", "x"),
    ]


async def test_a_thread_deleted_in_clew_is_not_brought_back(store: clew.Store, tmp_path: Path) -> None:
    source = file_of(tmp_path)
    async with open_peer("langgraph-sqlite", source) as saver:
        await put(saver, "t", "123456789")
        await put(saver, "u", "1")
    await bring("langgraph-sqlite", source, store)
    await ClewSaver(store, owner=OWNER).adelete_thread("t")
    report = await bring("langgraph-sqlite", source, store)
    assert (report.checkpoints, report.there, report.left) == (0, 1, 1)
    assert (report.details[0].kind, report.details[0].thread) == ("thread", "t")
    assert await ids_in(store) == []


@pytest.mark.parametrize(("layout", "kind"), [("langgraph-redis", "redis-stack"), ("langgraph-plainredis", "redis-6.2")])
async def test_a_thread_that_vanishes_while_it_is_read_is_no_fault(layout: str, kind: str, pool: Pool, store: clew.Store) -> None:
    server = pool.get(kind)
    assert isinstance(server, Server)
    reading = open_redis_json if layout == "langgraph-redis" else open_plainredis
    try:
        async with open_peer(layout, server.url) as saver, await reading(server.url, make_serde()) as source:
            await put(saver, "t", "123456789")
            await put(saver, "u", "1")
            found = source.read()
            seen = [await anext(found)]
            await saver.adelete_thread("t")
            seen += [each async for each in found]
    finally:
        server.call("FLUSHALL")
    assert [(each.thread, each.id) for each in (seen[0], seen[-1])] == [("t", "1"), ("u", "1")]
    assert len(seen) < 10


async def test_what_is_too_large_for_clew_is_left(store: clew.Store, tmp_path: Path) -> None:
    source = file_of(tmp_path)
    async with open_peer("langgraph-sqlite", source) as saver:
        await put(saver, "t", "1", "x" * (MAX_DATA_BYTES + 1))
        await put(saver, "t" * 600, "1")
        await put(saver, "u", "123")
        at: RunnableConfig = {"configurable": {"thread_id": "u", "checkpoint_ns": "", "checkpoint_id": "1"}}
        await saver.aput_writes(at, [("c", "x"), ("d", "x" * (MAX_DATA_BYTES + 1))], "large")
    with sqlite3.connect(tmp_path / "langgraph.db") as db:
        db.execute(
            "UPDATE checkpoints SET checkpoint_id = printf('%.*c', 600, 'x') WHERE thread_id = 'u' AND checkpoint_id = '2'"
        )
    db.close()
    report = await bring("langgraph-sqlite", source, store)
    assert told(report) == [("checkpoint", "1"), ("checkpoint", "1"), ("checkpoint", "x" * 600), ("write", "1")]
    assert await ids_in(store, "u") == ["1", "3"]
    found = await ClewSaver(store, owner=OWNER).aget_tuple(at)
    assert found is not None
    assert [channel for _, channel, _ in found.pending_writes or []] == ["c", "a", "b"]


async def test_an_encrypted_saver_needs_its_key_and_stays_encrypted(
    store: clew.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = file_of(tmp_path)
    serde = EncryptedSerializer.from_pycryptodome_aes(key=KEY.encode())
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "langgraph.db")) as saver:
        saver.serde = serde
        await put(saver, "t", "1", "the secret")
    report = await bring("langgraph-sqlite", source, store)
    assert (report.checkpoints, report.left) == (0, 1)
    assert "LANGGRAPH_AES_KEY" in report.details[0].reason
    monkeypatch.setenv("LANGGRAPH_AES_KEY", KEY)
    report = await bring("langgraph-sqlite", source, store)
    assert (report.checkpoints, report.writes, report.left) == (1, 2, 0)
    found = await ClewSaver(store, owner=OWNER, serde=serde).aget_tuple({"configurable": {"thread_id": "t"}})
    assert found is not None
    assert found.checkpoint["channel_values"] == {"a": "the secret"}
    assert b"the secret" not in b"".join(path.read_bytes() for path in tmp_path.glob("clew.db*"))
    monkeypatch.setenv("LANGGRAPH_AES_KEY", "short")
    with pytest.raises(clew.InvalidError, match="16, 24 or 32"):
        await bring("langgraph-sqlite", source, store)


@pytest.mark.parametrize(
    ("layout", "source", "words"),
    [
        ("langgraph-redis", "sqlite:///file", "redis://"),
        ("langgraph-sqlite", "redis://localhost", "path"),
        ("langgraph-sqlite", "nowhere.db", "no file"),
        ("langgraph-other", "nowhere.db", "langgraph-redis"),
    ],
)
async def test_a_source_that_cannot_be_one_is_refused(store: clew.Store, layout: str, source: str, words: str) -> None:
    with pytest.raises(clew.InvalidError, match=words):
        await bring(layout, source, store)


async def test_a_file_that_is_none_of_the_saver_is_refused(store: clew.Store, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("CREATE TABLE checkpoints (a)").connection.close()
    with pytest.raises(clew.InvalidError, match="did not write it"):
        await bring("langgraph-sqlite", str(other), store)
    other.write_bytes(b"no database" * 1000)
    with pytest.raises(clew.UnreadableError, match="whole SQLite file"):
        await bring("langgraph-sqlite", str(other), store)
