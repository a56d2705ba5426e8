"""Sessions on every kind of store: what is saved is loaded, under the keys and in the form that other tools read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

import clew
from clew.adapters.flywheel import BackendType, FlowStatus, RedisSessionManager, UniversalSession
from clew.conformance.tenants import ODD

from .conftest import Managers, make_session


async def test_a_session_comes_back_as_it_was_saved(manager: RedisSessionManager) -> None:
    session = UniversalSession(
        "ø:{1}*",
        BackendType.LANGFLOW,
        "lang-1",
        FlowStatus.RUNNING,
        "flow",
        {
            "started": datetime(2025, 1, 2, 3, 4, 5, 678),
            "deep": [{"at": datetime(2025, 1, 1, tzinfo=UTC)}],
            "n": 1.5,
            "none": None,
        },
        [
            {"role": "user", "at": datetime.now(timezone(timedelta(hours=-5)))},
            {"role": "assistant", "content": "☕", "tokens": [1]},
        ],
        created_at=datetime(2025, 1, 1),
        updated_at=datetime(2025, 1, 1, 12, tzinfo=UTC),
        expires_at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        user_id="ada",
        total_queries=3,
        successful_queries=2,
        total_response_time=1.25,
        metadata={"tags": ["a", "b"], "when": datetime(2025, 5, 5)},
        ttl_seconds=600,
    )
    assert (await manager.save_session(session)).status == "saved"
    loaded = await manager.load_session("ø:{1}*")
    assert loaded == session
    assert loaded is not None
    assert (type(loaded.status), type(loaded.backend)) == (FlowStatus, BackendType)


async def test_the_document_is_plain_json_under_its_literal_key_with_its_time(
    manager: RedisSessionManager, store: clew.Store, prefix: str
) -> None:
    session = make_session(user_id="ada", total_queries=1)
    await manager.save_session(session)
    await manager.append_history(session, {"role": "assistant", "content": "Hi"})
    raw = await store.values().get_data(f"{prefix}:session:s1")
    assert raw is not None
    found = json.loads(raw)
    assert {
        name: found[name] for name in ("_schema_version", "id", "backend", "status", "context", "user_id", "total_queries")
    } == {
        "_schema_version": "1.1",
        "id": "s1",
        "backend": "flowise",
        "status": "pending",
        "context": {"topic": "plans"},
        "user_id": "ada",
        "total_queries": 1,
    }
    assert found["history"] == [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    assert datetime.now(UTC) - datetime.fromisoformat(found["last_active"]) < timedelta(minutes=1)
    value = await store.values(f"{prefix}:session:").get("s1")
    assert value is not None
    assert value.ttl_ms is not None
    assert 86_000_000 < value.ttl_ms <= 86_400_000


async def test_the_environment_is_a_word_of_the_key(managers: Managers, store: clew.Store, prefix: str) -> None:
    for name in ("prod", "dev"):
        await managers(environment=name).save_session(make_session(user_id=name))
    assert await store.values().get_data(f"{prefix}:prod:session:s1") is not None
    loaded = await managers(environment="dev").load_session("s1")
    assert loaded is not None
    assert loaded.user_id == "dev"
    assert await managers().load_session("s1") is None
    assert await managers().list_sessions() == []


async def test_many_who_add_at_once_lose_no_turn(managers: Managers) -> None:
    workers = [managers() for _ in range(3)]
    sessions = [make_session("busy", history=[])]
    await workers[0].save_session(sessions[0])
    for worker in workers[1:]:
        loaded = await worker.load_session("busy")
        assert loaded is not None
        sessions.append(loaded)

    async def work(number: int) -> None:
        for turn in range(12):
            entry = {"worker": number, "turn": turn}
            if turn % 3 == 0:
                # As users of the founding system do: in memory, and then all of it.
                sessions[number].history.append(entry)
                sessions[number].total_queries += 1
                assert await workers[number].save_session(sessions[number])
            else:
                assert await workers[number].append_history("busy" if turn % 3 == 1 else sessions[number], entry)

    await asyncio.gather(*(work(number) for number in range(3)))
    found = await workers[0].load_session("busy")
    assert found is not None
    for number in range(3):
        assert [each["turn"] for each in found.history if each["worker"] == number] == list(range(12))
    assert found.total_queries == 12


async def test_what_both_changed_differently_is_a_conflict_and_nothing_is_written(managers: Managers) -> None:
    one, other = managers(), managers()
    mine = make_session()
    await one.save_session(mine)
    theirs = await other.load_session("s1")
    assert theirs is not None
    theirs.status, theirs.context["topic"], theirs.context["theirs"] = FlowStatus.COMPLETED, "tea", 1
    mine.status, mine.context["mine"] = FlowStatus.FAILED, 1
    assert await other.save_session(theirs)
    refused = await one.save_session(mine)
    assert not refused
    assert refused.status == "conflict"
    assert isinstance(refused.error, clew.ConflictError)
    assert refused.error.actual == ("status",)
    assert await one.load_session("s1") == theirs
    mine.status = FlowStatus.COMPLETED
    merged = await one.save_session(mine)
    assert (merged.status, merged.merged) == ("saved", True)
    assert mine.context == {"topic": "tea", "theirs": 1, "mine": 1}
    assert await one.load_session("s1") == mine
    assert await other.save_session(theirs, overwrite=True)
    assert await one.load_session("s1") == theirs


async def test_a_session_lives_on_with_each_write_by_its_own_time(managers: Managers, store: clew.Store, prefix: str) -> None:
    manager = managers(ttl_seconds=5_000)
    values = store.values(f"{prefix}:session:")

    async def left(id: str) -> float | None:
        value = await values.get(id)
        assert value is not None
        return None if value.ttl_ms is None else value.ttl_ms / 1000

    def near(seconds: float | None, wanted: float) -> bool:
        return seconds is not None and wanted - 100 < seconds <= wanted

    await manager.save_session(make_session("a"))
    assert near(await left("a"), 5_000)
    own = make_session("b")
    await manager.save_session(own, ttl_seconds=900)
    for id, wanted in (("a", 5_000), ("b", 900)):
        raw = await values.get_data(id)
        assert raw is not None
        await values.put_data(id, raw, ttl=200)
        assert await managers(ttl_seconds=7_000).append_history(id, {"n": 1})
        assert near(await left(id), wanted)
    loaded = await managers().load_session("b")
    assert loaded is not None
    assert loaded.ttl_seconds == 900
    await managers().save_session(loaded)
    assert near(await left("b"), 900)
    for_ever = managers(ttl_seconds=None)
    await for_ever.save_session(make_session("c"))
    await for_ever.append_history("c", {"n": 1})
    assert await left("c") is None


async def test_what_was_deleted_is_not_brought_back_by_a_late_turn(managers: Managers) -> None:
    one, other = managers(), managers()
    session = make_session()
    await one.save_session(session)
    assert (await other.delete_session("s1")).status == "deleted"
    for late in (session, "s1"):
        outcome = await one.append_history(late, {"late": True})
        assert (bool(outcome), outcome.status) == (False, "missing")
    assert (await other.delete_session("s1")).status == "missing"
    assert not await other.delete_session("s1")
    assert (await one.fetch_session("s1")).status == "missing"
    assert len(session.history) == 1
    assert await one.save_session(session)
    assert await other.load_session("s1") == session


async def test_sessions_are_listed_by_pattern_in_parts(manager: RedisSessionManager) -> None:
    assert await manager.list_sessions() == []
    names = {f"s-{n:02d}" for n in range(40)} | {f"t-{n}" for n in range(5)} | set(ODD)
    await asyncio.gather(*(manager.save_session(make_session(name, history=[])) for name in names))
    found = await manager.list_sessions()
    assert (found.status, found.cursor, set(found)) == ("found", None, names)
    assert len(found) == len(names)
    assert set(await manager.list_sessions("t-[0-3]")) == {f"t-{n}" for n in range(4)}
    assert await manager.list_sessions("nobody*") == []
    seen: set[str] = set()
    cursor = None
    while True:
        part = await manager.list_sessions("s-*", limit=10, cursor=cursor)
        seen |= set(part)
        cursor = part.cursor
        if cursor is None:
            break
    assert seen >= {f"s-{n:02d}" for n in range(40)}
    assert (await manager.list_sessions(limit=0)).status == "refused"


async def test_documents_of_both_founding_branches_are_read_added_to_and_saved(
    manager: RedisSessionManager, store: clew.Store, prefix: str
) -> None:
    first = {
        "id": "a",
        "backend": "flowise",
        "backend_session_id": "x",
        "status": "active",
        "current_flow_id": None,
        "context": {"topic": "plans"},
        "history": [{"question": "?"}],
        "metadata": {"kept": 1},
        "created_at": "2025-11-18T09:00:00+00:00",
        "last_active": "2025-11-18T10:00:00+00:00",
    }
    second = {
        "_schema_version": "1.0",
        **{name: first[name] for name in ("backend", "backend_session_id", "current_flow_id", "context", "history")},
        "id": "b",
        "status": None,
        "metadata": {"created_at": "2025-11-18T09:00:00", "last_active": "2025-11-18T10:00:00"},
    }
    values = store.values(f"{prefix}:session:")
    for document in (first, second):
        await values.put_data(str(document["id"]), json.dumps(document).encode(), ttl=1000)
    for id, status, zone in (("a", FlowStatus.ACTIVE, UTC), ("b", FlowStatus.IDLE, None)):
        session = await manager.load_session(id)
        assert session is not None
        assert (session.status, session.created_at, session.updated_at) == (
            status,
            datetime(2025, 11, 18, 9, tzinfo=zone),
            datetime(2025, 11, 18, 10, tzinfo=zone),
        )
        assert session.metadata == ({"kept": 1} if id == "a" else {})
        assert await manager.append_history(id, {"question": "!"})
        session.context["more"] = True
        outcome = await manager.save_session(session)
        assert (outcome.status, outcome.merged) == ("saved", True)
        assert await manager.load_session(id) == session
        assert session.history == [{"question": "?"}, {"question": "!"}]
        raw = await values.get_data(id)
        assert raw is not None
        assert json.loads(raw)["_schema_version"] == "1.1"


async def test_what_another_tool_wrote_meanwhile_is_not_overwritten(
    manager: RedisSessionManager, store: clew.Store, prefix: str
) -> None:
    session = make_session()
    await manager.save_session(session)
    values = store.values(f"{prefix}:session:")
    raw = await values.get_data("s1")
    assert raw is not None
    changed = json.loads(raw)
    changed["context"]["theirs"] = 1
    changed["history"].append({"theirs": True})
    await values.put_data("s1", json.dumps(changed).encode(), ttl=1000)
    session.history.append({"mine": True})
    assert (await manager.save_session(session)).merged
    assert session.history[1:] == [{"theirs": True}, {"mine": True}]
    assert session.context["theirs"] == 1
    assert await manager.load_session("s1") == session


async def test_a_save_writes_what_has_changed_and_the_document_stays_whole(
    managers: Managers, store: clew.Store, prefix: str
) -> None:
    manager = managers()
    session = make_session(context={"history": [{"n": 0}]}, history=[{"n": n, "text": "x" * 200} for n in range(200)])
    values = store.values(f"{prefix}:session:")
    for size in (0, 5, 100, 3, 5_000, 10, 20):
        session.context["pad"] = "y" * size
        session.history.append({"n": size, "at": datetime(2025, 1, 1)} if size == 100 else {"n": size})
        session.total_queries += 1
        assert (await manager.save_session(session)).status == "saved"
        if size in (3, 10):
            assert await manager.append_history(session, {"quick": size})
        raw = await values.get_data("s1")
        assert raw is not None
        found = json.loads(raw)
        assert (len(found["history"]), found["total_queries"]) == (len(session.history), session.total_queries)
        assert await managers().load_session("s1") == session
    del session.history[:150]
    assert await manager.save_session(session)
    assert await managers().load_session("s1") == session
