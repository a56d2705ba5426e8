"""The layouts of LLMos, Merak, codecoder and the flywheel, written here by their formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from redis import Redis

import clew
from clew import Ref
from clew.adapters.chatkit import ChatKitStore
from clew.adapters.flywheel import RedisSessionManager, UniversalSession
from clew.moving import move

from .conftest import Bring

HELLO = {"role": "user", "content": "Hello", "timestamp": "2025-11-20T10:00:00Z"}
ANSWER = {"role": "assistant", "content": "Hi", "timestamp": 1763632801.5}


def put_session(foreign: Redis, id: str, volume: str | None, *messages: object, **fields: object) -> None:
    """Write a session as LLMos does."""
    foreign.set(f"session:{id}", json.dumps({"id": id, "name": f"Plans {id}", "created_at": "2025-11-20T10:00:00", **fields}))
    if messages:
        foreign.rpush(f"session:{id}:messages", *map(json.dumps, messages))
    foreign.sadd("all:sessions", id)
    if volume:
        foreign.sadd(f"{volume}:sessions", id)


async def test_sessions_of_llmos_go_to_their_volumes(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    put_session(foreign, "plans_1", "user:ada:x", HELLO, ANSWER, messages=[HELLO], status="active")
    put_session(foreign, "plans_2", "team:blue", ANSWER, messages=[HELLO])
    put_session(foreign, "plans_3", "system:system", messages=[HELLO])
    put_session(foreign, "plans_4", None, HELLO)
    foreign.rpush("session:orphan:messages", json.dumps(HELLO))
    foreign.sadd("user:grace:sessions", "expired", b"\xff")
    foreign.set("session:broken", "{")
    foreign.set("session:list", "[]")
    foreign.rpush("session:wrong", "x")
    foreign.hset("session:mixed:messages", "a", "b")
    foreign.set("user:x:sessions", "no set")
    report = await bring("llmos")
    assert (report.threads, report.items) == (6, 7)
    told = sorted((broken.kind, broken.where) for broken in report.details)
    assert told == [
        ("thread", "session:broken"),
        ("thread", "session:list"),
        ("thread", "session:mixed:messages"),
        ("thread", "session:wrong"),
        ("thread", "� in user:grace:sessions"),
        ("volume", "user:x:sessions"),
    ]
    thread = await store.threads.get(Ref("ada:x", "plans_1"))
    assert (thread.title, thread.metadata) == ("Plans plans_1", {"created_at": "2025-11-20T10:00:00", "status": "active"})
    items = list(await store.items.page(thread))
    assert [(item.json(), item.author) for item in items] == [(HELLO, "user"), (ANSWER, "assistant")]
    assert [item.created_at for item in items] == [
        datetime(2025, 11, 20, 10, tzinfo=UTC),
        datetime.fromtimestamp(1763632801.5, UTC),
    ]
    # What is in the document alone stands before what is in the list alone.
    assert [item.json() for item in await store.items.page(Ref("clew:team:blue", "plans_2"))] == [HELLO, ANSWER]
    assert [item.json() for item in await store.items.page(Ref("clew:system", "plans_3"))] == [HELLO]
    assert {thread.id for thread in await store.threads.list("ada")} == {"plans_4", "orphan", "mixed"}
    again = await bring("llmos")
    assert (again.items, again.there) == (0, 7)


def put_thread(foreign: Redis, user: str, thread: str, score: float, *items: Mapping[str, object]) -> str:
    """Write a thread as Merak does, and return how its keys begin."""
    base = f"chatkit:user:{quote(user, safe='')}:thread:{quote(thread, safe='')}"
    metadata = {"id": thread, "title": f"On {thread}", "created_at": "2025-11-20T10:00:00", "status": {"type": "active"}}
    foreign.set(f"{base}:metadata", json.dumps({**metadata, "metadata": {"colour": "red", "none": None}}))
    for item in items:
        foreign.rpush(f"{base}:items", str(item["id"]))
        foreign.set(f"{base}:item:{quote(str(item['id']), safe='')}", json.dumps({"thread_id": thread, **item}))
    foreign.zadd(f"chatkit:user:{quote(user, safe='')}:threads:index", {thread: score})
    return base


async def test_threads_of_merak_are_read_by_chatkit(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    when = {"created_at": "2025-11-20T10:00:01"}
    asked = {
        "id": "msg_1",
        "type": "user_message",
        "content": [{"type": "input_text", "text": "Find"}],
        "inference_options": {},
    } | when
    call = {
        "id": "tc_1",
        "type": "client_tool_call",
        "status": "pending",
        "call_id": "c1",
        "name": "show",
        "arguments": {},
    } | when
    newer = {"id": "nov_1", "type": "novelty", "what": 1} | when
    put_thread(foreign, "a:b/c", "thr_1", 2.0, asked, call, newer)
    put_thread(foreign, "a:b/c", "thr_2", 1.0)
    put_thread(foreign, "eve", "thr_1", 1.0, asked)
    base = put_thread(foreign, "eve", "thr_3", 2.0, asked, {**asked, "id": "msg_2"}, {**asked, "id": "msg_3"})
    foreign.set(f"{base}:item:msg_2", "{")
    foreign.delete(f"{base}:item:msg_3")
    foreign.set("chatkit:user:eve:thread:thr_4:metadata", "[]")
    foreign.hset("chatkit:user:eve:thread:thr_5:metadata", "a", "b")
    report = await bring("merak")
    assert (report.threads, report.items, report.left) == (4, 5, 4)
    mine: ChatKitStore[str] = ChatKitStore(store, owner="a:b/c")
    page = await mine.load_threads(10, None, "asc", "")
    assert [thread.id for thread in page.data] == ["thr_2", "thr_1"]
    thread = page.data[1]
    assert (thread.title, thread.metadata) == ("On thr_1", {"colour": "red", "none": None})
    assert thread.created_at == datetime(2025, 11, 20, 10)
    items = (await mine.load_thread_items("thr_1", None, 10, "asc", "")).data
    assert [item.type for item in items] == ["user_message", "client_tool_call", "sdk_hidden_context"]
    stored = list(await store.items.page(Ref("a:b/c", "thr_1")))
    assert [(item.kind, item.author, item.status, item.links) for item in stored] == [
        ("message", "user", None, ()),
        ("client_tool_call", None, "pending", ("c1",)),
        ("novelty", None, None, ()),
    ]
    assert stored[2].json() == {"thread_id": "thr_1", **newer}
    again = await bring("merak", only="eve")
    assert (again.threads, again.items, again.there, again.others) == (2, 0, 2, 2)


async def test_routes_of_codecoder_are_copied_and_indexed(
    foreign: Redis, foreign_url: str, store: clew.Store, bring: Bring
) -> None:
    foreign.set("codecoder:conv:telegram:123", "s1")
    foreign.set("codecoder:conv:slack:4", "s1", ex=1000)
    foreign.set("codecoder:autonomous:telegram:123", '{"enabled": true}')
    foreign.set("codecoder:conv:bad", b"\xff")
    foreign.rpush("codecoder:conv:list", "x")
    foreign.set("codecoder:autonomous:bad", "{")
    await store.routes("codecoder:conv:").set("slack:4", "newer")
    report = await bring("codecoder")
    assert (report.routes, report.values, report.there, report.left) == (1, 1, 1, 3)
    assert await store.routes("codecoder:conv:").get("slack:4") == "newer"
    assert await store.values("codecoder:autonomous:").get("telegram:123") == clew.Value("telegram:123", {"enabled": True}, None)
    assert (await bring("codecoder")).routes == 0
    # In the store where they lie they stay as they are, and get an index.
    async with clew.connect(foreign_url) as same:
        report = await move("codecoder", foreign_url, same, "ada", lambda done, total: None)
        assert (report.routes, report.values, report.there) == (0, 0, 3)
        routes = same.routes("codecoder:conv:", index="codecoder:session:")
        assert await routes.conversations("s1") == ["slack:4", "telegram:123"]
    assert (foreign.get("codecoder:conv:slack:4"), foreign.ttl("codecoder:conv:slack:4") > 900) == (b"s1", True)


async def test_what_the_flywheel_keeps_is_copied_with_its_time(
    foreign: Redis, foreign_url: str, bring: Bring, store: clew.Store
) -> None:
    async with RedisSessionManager(url=foreign_url) as manager:
        session = UniversalSession(id="s1", backend="flowise", backend_session_id="b1", status="active")
        assert await manager.save_session(session)
    foreign.set("agentic_flywheel:prod:execution:e1", '{"result": 1}', ex=3600)
    foreign.set("agentic_flywheel:history:s1:f1", "[]")
    foreign.set("agentic_flywheel:session:bad", "{")
    foreign.sadd("agentic_flywheel:session:set", "x")
    foreign.set("agentic_flywheel:else", "{}")
    report = await bring("flywheel")
    assert (report.values, report.left) == (3, 2)
    async with RedisSessionManager(store=store) as manager:
        loaded = await manager.load_session("s1")
        assert loaded
        assert loaded.backend == "flowise"
    kept = await store.values().get("agentic_flywheel:prod:execution:e1")
    assert kept is not None
    assert kept.ttl_ms is not None
    assert 3_500_000 < kept.ttl_ms <= 3_600_000
    assert (await bring("flywheel")).there == 3
