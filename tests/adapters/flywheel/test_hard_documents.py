"""What must not break a session: documents of a newer schema, damaged ones, wrong types, absurd times, lost answers."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import logging
from datetime import datetime
from typing import Any, cast

import pytest

import clew
from clew.adapters.flywheel import VERSION, FlowStatus, RedisSessionManager, UniversalSession
from clew.testing import Recorder, WholeBackend

from .conftest import make_session

KEY = "agentic_flywheel:session:s1"


class Lossy(Recorder):
    """A backend whose next answers get lost on their way, though the write was done."""

    losing = 0

    async def put_value(self, key: str, data: bytes | None, **arguments: Any) -> tuple[bool, bytes | None]:
        """See Values.put_value."""
        return self._lose(await super().put_value(key, data, **arguments))

    async def splice_value(self, key: str, data: bytes, **arguments: Any) -> tuple[bool, bytes | None]:
        """See Splicing.splice_value."""
        return self._lose(await super().splice_value(key, data, **arguments))

    def _lose(self, answer: tuple[bool, bytes | None]) -> tuple[bool, bytes | None]:
        if self.losing:
            self.losing -= 1
            raise clew.UnavailableError("the connection broke")
        return answer


async def test_a_document_of_a_newer_release_is_kept_as_it_is(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    newer = json.dumps({"_schema_version": "2.0", "id": "s1", "everything": "else"}).encode()
    await memory.values().put_data(KEY, newer)
    loaded = await manager.fetch_session("s1")
    assert (loaded.value, loaded.status) == (None, "unreadable")
    assert "2.0" in str(loaded.error)
    assert "upgrade" in str(loaded.error)
    assert await manager.load_session("s1") is None
    for refused in (await manager.append_history("s1", {"a": 1}), await manager.save_session(make_session())):
        assert (bool(refused), refused.status) == (False, "unreadable")
    assert await memory.values().get_data(KEY) == newer


async def test_fields_of_a_newer_minor_release_are_written_back(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    await manager.save_session(make_session())
    found = json.loads(await memory.values().get_data(KEY) or b"")
    found |= {"_schema_version": "1.7", "mood": ["calm"]}
    await memory.values().put_data(KEY, json.dumps(found).encode())
    session = await manager.load_session("s1")
    assert session is not None
    session.total_queries = 5
    for _ in range(2):
        assert await manager.save_session(session)
    assert await manager.append_history("s1", {"a": 1})
    again = json.loads(await memory.values().get_data(KEY) or b"")
    assert (again["_schema_version"], again["mood"], again["total_queries"], len(again["history"])) == ("1.7", ["calm"], 5, 2)


async def test_an_application_brings_its_own_documents_up_step_by_step(memory: clew.Store) -> None:
    def name_topic(found: dict[str, Any]) -> dict[str, Any]:
        found["context"]["topics"] = [found["context"].pop("topic")]
        return found

    def count(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "total_queries": len(found["history"])}

    old, new = json.dumps({"id": "s1", "backend": "mine", "status": "odd", "context": {"topic": "tea"}, "history": [{}]}), "3.0"
    await memory.values().put_data(KEY, old.encode())
    steps = {VERSION: ("2.0", name_topic), "2.0": (new, count)}
    manager = RedisSessionManager(store=memory, schema_version=new, migrations=steps)
    session = await manager.load_session("s1")
    assert session is not None
    assert (session.backend, session.status, session.context, session.total_queries) == ("mine", "odd", {"topics": ["tea"]}, 1)
    assert await manager.append_history("s1", {})
    assert json.loads(await memory.values().get_data(KEY) or b"")["_schema_version"] == new
    assert (await RedisSessionManager(store=memory).fetch_session("s1")).status == "unreadable"
    gap = RedisSessionManager(store=memory, schema_version="9.0")
    assert "no migration" in str((await gap.fetch_session("s1")).error)
    failing = RedisSessionManager(store=memory, schema_version="4.0", migrations={new: ("4.0", lambda found: found["no"])})
    assert "KeyError" in str((await failing.fetch_session("s1")).error)
    for bad in ({"1.0": ("1.0", count)}, {"2.0": ("1.0", count)}, {"x": ("1.0", count)}, {"1.0": ("2.0", "no function")}):
        with pytest.raises(clew.InvalidError):
            RedisSessionManager(store=memory, migrations=cast(Any, bad))
    with pytest.raises(clew.InvalidError):
        RedisSessionManager(store=memory, schema_version="one")


@pytest.mark.parametrize(
    "stored", [b"", b"{", b"42", b"[]", b"{}", b'{"history": 3, "id": "s1"}', b"\xff\xfe", b"null", b"[" * 5_000]
)
async def test_what_is_no_session_is_unreadable_and_is_kept(memory: clew.Store, stored: bytes) -> None:
    manager = RedisSessionManager(store=memory)
    await memory.values().put_data(KEY, stored)
    assert (await manager.fetch_session("s1")).status == "unreadable"
    assert (await manager.append_history("s1", {"a": 1})).status == "unreadable"
    assert (await manager.save_session(make_session())).status == "unreadable"
    assert await memory.values().get_data(KEY) == stored
    assert await manager.list_sessions() == ["s1"]
    assert await manager.save_session(make_session(), overwrite=True)
    assert await manager.load_session("s1") is not None


async def test_a_key_that_holds_a_list_is_refused_and_left_alone(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    backend = cast(WholeBackend, memory.backend)
    await backend.push_elements(KEY, [b"theirs"])
    assert (await manager.fetch_session("s1")).status == "refused"
    assert (await manager.append_history("s1", {})).status == "refused"
    assert (await manager.save_session(make_session())).status == "refused"
    assert list(await backend.get_elements(KEY)) == [b"theirs"]


@pytest.mark.parametrize("ttl", [0, -1, 1e12, float("nan"), "60", True])
async def test_an_absurd_time_to_live_is_refused_with_a_reason(memory: clew.Store, ttl: Any) -> None:
    with pytest.raises(clew.InvalidError, match="time to live"):
        RedisSessionManager(store=memory, ttl_seconds=ttl)
    manager = RedisSessionManager(store=memory)
    session = make_session()
    outcome = await manager.save_session(session, ttl_seconds=ttl)
    assert (outcome.status, "time to live" in str(outcome.error)) == ("refused", True)
    session.ttl_seconds = ttl
    assert (await manager.save_session(session)).status == "refused"
    assert (await manager.fetch_session("s1")).status == "missing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", None),
        ("backend", 7),
        ("status", None),
        ("context", []),
        ("context", {"a": {1, 2}}),
        ("context", {"a": float("nan")}),
        ("context", {1: 2}),
        ("history", "text"),
        ("history", [{"a": object()}]),
        ("history", [{"_datetimes": []}]),
        ("metadata", {"a": b"bytes"}),
        ("created_at", 12),
        ("user_id", 5),
        ("total_queries", 1.5),
        ("total_response_time", float("inf")),
        ("current_flow_id", "\ud800"),
    ],
)
async def test_what_would_not_come_back_as_it_is_is_refused(memory: clew.Store, field: str, value: Any) -> None:
    manager = RedisSessionManager(store=memory)
    session = make_session()
    setattr(session, field, value)
    outcome = await manager.save_session(session)
    assert (bool(outcome), outcome.status) == (False, "refused"), outcome
    assert isinstance(outcome.error, clew.InvalidError)
    assert await manager.list_sessions() == []


async def test_calls_with_wrong_arguments_are_refused_and_raise_nothing(memory: clew.Store) -> None:
    manager: Any = RedisSessionManager(store=memory)
    await manager.save_session(make_session())
    for outcome in (
        await manager.save_session({"id": "s1"}),
        await manager.save_session(None),
        await manager.append_history("s1"),
        await manager.append_history("s1", "text"),
        await manager.append_history(7, {"a": 1}),
        await manager.append_history("", {"a": 1}),
        await manager.fetch_session(""),
        await manager.fetch_session(None),
        await manager.delete_session(7),
        await manager.list_sessions(5),
        await manager.list_sessions("x" * 5_000),
        await manager.list_sessions(cursor=3),
    ):
        assert outcome.status == "refused"
        assert isinstance(outcome.error, clew.InvalidError)
        assert not outcome


async def test_adding_a_turn_is_one_splice_however_long_the_history(memory: clew.Store) -> None:
    recorder = Recorder(cast(WholeBackend, memory.backend))
    manager = RedisSessionManager(store=clew.Store(recorder))
    session = make_session(history=[{"n": n} for n in range(20_000)])
    await manager.save_session(session)
    recorder.clear()
    for target in (session, "s1"):
        assert await manager.append_history(target, {"n": 20_000}, {"n": 20_001})
    assert recorder.verbs == ["splice_value"] * 2
    await manager.load_session("s1")
    assert recorder.verbs == ["splice_value"] * 2 + ["get_value"]
    session = make_session("other")
    recorder.clear()
    for _ in range(2):
        assert await manager.save_session(session)
    assert recorder.verbs == ["put_value", "splice_value"]


async def test_an_entry_of_another_kind_at_the_end_costs_one_rewrite(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    await manager.save_session(make_session(history=["text", 7, None]))
    for number in range(3):
        assert await manager.append_history("s1", {"n": number})
    loaded = await manager.load_session("s1")
    assert loaded is not None
    assert loaded.history == ["text", 7, None, {"n": 0}, {"n": 1}, {"n": 2}]


async def test_a_session_that_is_full_says_so(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    assert await manager.save_session(make_session(history=[{"a": "x" * (8 * 1024 * 1024 - 1_500)}]))
    outcome = await manager.append_history("s1", {"b": "y" * 2_000})
    assert outcome.status == "refused"
    assert "shorten" in str(outcome.error)
    loaded = await manager.load_session("s1")
    assert loaded is not None
    assert len(loaded.history) == 1


async def test_one_that_was_never_loaded_does_not_undo_what_is_stored(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    stored = make_session(user_id="ada")
    await manager.save_session(stored)
    refused = await manager.save_session(make_session(user_id="eve"))
    assert (refused.status, refused.error and refused.error.actual) == ("conflict", ("user_id",))  # type: ignore[attr-defined]
    rewritten = await manager.save_session(make_session(user_id="ada", history=[{"other": 1}]))
    assert rewritten.status == "conflict"
    longer = make_session(user_id="ada", history=[*stored.history, {"more": 1}])
    assert (await manager.save_session(longer)).merged
    assert (await manager.load_session("s1") or stored).history == longer.history


async def test_copies_and_replacements_of_a_session_remember_what_they_were(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    session = make_session()
    await manager.save_session(session)
    for other in (copy.copy(session), copy.deepcopy(session), dataclasses.replace(session, status=FlowStatus.RUNNING)):
        other.total_queries += 1
        assert await manager.save_session(other)
    found = await manager.load_session("s1")
    assert found is not None
    assert (found.total_queries, found.status) == (3, FlowStatus.RUNNING)


async def test_turns_that_hold_datetimes_come_back_wherever_they_were_added(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    session = make_session()
    at = datetime(2025, 1, 2, 3, 4, 5, 6)
    for entry in ({"at": at}, {"deep": [{"at": at}]}, {"plain": 1}):
        session.history.append(entry)
        assert await manager.save_session(session)
        assert await manager.append_history(session, {"again": entry})
        assert await manager.load_session("s1") == session
    session.history[0]["content"] = at
    assert await manager.save_session(session)
    assert await manager.load_session("s1") == session
    session.history.append({"_datetimes": "mine"})
    assert (await manager.save_session(session)).status == "refused"


async def test_writers_of_one_session_that_are_cancelled_let_the_others_go_on(memory: clew.Store) -> None:
    manager = RedisSessionManager(store=memory)
    session = make_session(history=[])
    await manager.save_session(session)
    tasks = [asyncio.create_task(manager.append_history(session, {"n": n})) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await manager.append_history(session, {"n": "last"})
    found = await manager.load_session("s1")
    assert found is not None
    said = [each["n"] for each in found.history]
    assert said[-1] == "last"
    assert {n for n in range(30) if n % 3} <= set(said)
    assert len(said) == len(set(said))


async def test_what_is_added_in_memory_while_a_save_is_under_way_is_not_lost(memory: clew.Store) -> None:
    one, other = RedisSessionManager(store=memory), RedisSessionManager(store=memory)
    session = make_session(history=[])
    await one.save_session(session)
    for number in range(20):
        await other.append_history("s1", {"theirs": number})
        session.history.append({"mine": number})
        saving = asyncio.create_task(one.save_session(session))
        await asyncio.sleep(0)
        session.history.append({"late": number})
        assert await saving
    assert await one.save_session(session)
    found = await other.load_session("s1")
    assert found is not None
    assert found.history == session.history
    for word in ("theirs", "mine", "late"):
        assert [each[word] for each in found.history if word in each] == list(range(20))


async def test_a_save_whose_answer_got_lost_is_done_once(memory: clew.Store) -> None:
    lossy = Lossy(cast(WholeBackend, memory.backend))
    other = RedisSessionManager(store=memory)
    async with RedisSessionManager(store=clew.Store(lossy)) as manager:
        session = UniversalSession("s1", "mine", None)
        for turn in range(6):
            session.history.append({"turn": turn})
            session.total_queries += 1
            lossy.losing = 1
            assert (await manager.save_session(session)).status == "unavailable"
            if turn % 2:
                assert await other.append_history("s1", {"between": turn})
            assert await manager.health_check()
            assert await manager.save_session(session)
    found = await other.load_session("s1")
    assert found is not None
    assert [each["turn"] for each in found.history if "turn" in each] == list(range(6))
    assert [each["between"] for each in found.history if "between" in each] == [1, 3, 5]
    assert found.total_queries == 6


async def test_it_is_logged_what_was_not_done_but_nothing_of_what_was_said(
    memory: clew.Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "clew")
    manager = RedisSessionManager(store=memory)
    await manager.save_session(make_session(history=[{"content": "a secret"}], context={"key": {"a secret"}}))
    assert "not done" in caplog.text
    assert "a secret" not in caplog.text
