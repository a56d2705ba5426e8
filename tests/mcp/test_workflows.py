"""Workflow sessions and execution results over MCP: kept under the keys of system 2, merged, bounded, each owner's own."""

from __future__ import annotations

import asyncio
import json

import pytest

from clew.adapters.flywheel import RedisSessionManager, UniversalSession
from clew.mcp import Opening

from .conftest import Failed, Start, call


async def test_a_session_is_made_changed_and_resumed(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        await call(
            client,
            "save_workflow_session",
            session="s1",
            backend="flowise",
            status="running",
            context={"topic": "ships", "draft": 1},
            history=[{"role": "user", "content": "0"}],
        )
        await call(client, "save_workflow_session", session="s1", current_flow_id="f1", context={"draft": None, "x": 2})
        await call(client, "append_to_workflow_session", session="s1", entries=[{"n": n} for n in range(1, 31)])
        found = await call(client, "resume_workflow_session", session="s1", limit=5)
        assert (found["backend"], found["status"], found["current_flow_id"]) == ("flowise", "running", "f1")
        assert found["context"] == {"topic": "ships", "x": 2}
        assert found["history"] == [{"n": n} for n in range(26, 31)]
        assert (found["history_length"], found["older"]) == (31, 26)
        older = await call(client, "resume_workflow_session", session="s1", limit=200, skip=30)
        assert older["history"] == [{"role": "user", "content": "0"}]
        assert (await call(client, "list_workflow_sessions", pattern="s*"))["sessions"] == ["s1"]
        assert (await call(client, "drop_workflow_session", session="s1"))["dropped"] is True
        assert (await call(client, "drop_workflow_session", session="s1"))["dropped"] is False
        with pytest.raises(Failed, match="no workflow session"):
            await call(client, "resume_workflow_session", session="s1")
        with pytest.raises(Failed, match="no workflow session"):
            await call(client, "append_to_workflow_session", session="s1", entries=[{}])


async def test_bare_sessions_are_those_of_the_flywheels_own_tools(as_owner: Start, opening: Opening) -> None:
    async with RedisSessionManager(store=await opening.store(), ttl_seconds=60) as manager:
        assert await manager.save_session(UniversalSession("theirs", "langflow", "l1", context={"a": 1}))
        async with as_owner("local", bare=True) as client:
            assert (await call(client, "resume_workflow_session", session="theirs"))["context"] == {"a": 1}
            await call(client, "save_workflow_session", session="mine", context={"b": 2}, ttl=60)
            document = json.loads((await call(client, "fetch_value", key="agentic_flywheel:session:mine"))["value"])
            assert document["context"] == {"b": 2}
            await call(client, "save_workflow_session", session="mine", status="idle")
            later = json.loads((await call(client, "fetch_value", key="agentic_flywheel:session:mine"))["value"])
            assert later["updated_at"] > document["updated_at"]
            loaded = await manager.load_session("mine")
            assert loaded is not None
            assert loaded.context == {"b": 2}
            for session in ("mine", "theirs"):
                await call(client, "drop_workflow_session", session=session)


async def test_many_who_save_one_session_at_once_lose_nothing(as_owner: Start) -> None:
    async with as_owner("ada") as one, as_owner("ada") as other:
        await call(one, "save_workflow_session", session="s1", ttl=60)
        saves = [
            call(client, "save_workflow_session", session="s1", context={f"{name}{n}": n}, history=[{name: n}])
            for n in range(10)
            for name, client in (("a", one), ("b", other))
        ]
        done = await asyncio.gather(*saves)
        assert len(done) == 20
        found = await call(one, "resume_workflow_session", session="s1", limit=100)
        assert sorted(found["context"]) == sorted(f"{name}{n}" for name in "ab" for n in range(10))
        assert found["history_length"] == 20
        await call(one, "drop_workflow_session", session="s1")


async def test_results_are_found_by_their_session_and_a_long_one_comes_in_parts(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        long = {"text": "x" * 90_000}
        await call(client, "save_execution_result", execution="e1", result={"ok": True}, session="s1", flow="f1", ttl=60)
        await call(client, "save_execution_result", execution="e2", result=long, status="failed", session="s1", flow="f2", ttl=60)
        found = await call(client, "fetch_execution_result", execution="e1")
        assert (found["result"], found["status"], found["session"], found["flow"]) == ({"ok": True}, "completed", "s1", "f1")
        assert sorted((await call(client, "list_execution_results", session="s1"))["executions"]) == ["e1", "e2"]
        assert await call(client, "list_execution_results", session="s1", flow="f2") == {"executions": ["e2"], "has_more": False}
        parts, offset = [], 0
        while True:
            part = await call(client, "fetch_execution_result", execution="e2", offset=offset)
            parts.append(part["result_text"])
            offset = part.get("next_offset")
            if offset is None:
                break
        assert json.loads("".join(parts)) == long
        with pytest.raises(Failed, match="no result"):
            await call(client, "fetch_execution_result", execution="e3")
        with pytest.raises(Failed, match="both"):
            await call(client, "save_execution_result", execution="e4", result={}, session="s1")
        for key in (await call(client, "list_values"))["keys"]:
            await call(client, "drop_value", key=key)


async def test_a_long_session_is_shown_in_part_and_says_so(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        entries = [{"n": n, "text": "x" * 20_000} for n in range(12)]
        await call(
            client, "save_workflow_session", session="s1", context={"big": "x" * 30_000, "small": 1}, history=entries, ttl=60
        )
        found = await call(client, "resume_workflow_session", session="s1")
        assert (found["context"], found["left_out"]) == ({"small": 1}, ["big"])
        assert [entry["characters"] > 20_000 for entry in found["history"]] == [True] * 5
        assert found["older"] == 7
        await call(client, "drop_workflow_session", session="s1")


async def test_a_session_of_very_many_names_is_shown_in_part_and_says_so(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        names = {f"{n:04}{'x' * 500}": 1 for n in range(100)}
        await call(client, "save_workflow_session", session="s1", context=names, metadata=names, ttl=60)
        found = await call(client, "resume_workflow_session", session="s1")
        shown = len(found["context"]) + len(found["metadata"])
        assert 0 < shown < 100
        assert 0 < len(found["left_out"]) < 50
        assert shown + len(found["left_out"]) + found["left_out_more"] == 200
        await call(client, "drop_workflow_session", session="s1")


async def test_a_list_of_sessions_or_results_is_no_longer_than_asked_for(
    as_owner: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.mcp.workflows.MOST_RESULTS", 4)
    async with as_owner("ada") as client:
        for n in range(30):
            await call(client, "save_workflow_session", session=f"s{n}", ttl=60)
        for n in range(6):
            await call(client, "save_execution_result", execution=f"e{n}", result={}, session="s1", flow=f"f{n % 3}", ttl=60)
        found, cursor = set[str](), None
        while True:
            page = await call(client, "list_workflow_sessions", pattern="s*", limit=5, cursor=cursor)
            # A step of the store's may bring some more.
            assert len(page["sessions"]) < 20
            found |= set(page["sessions"])
            cursor = page["cursor"]
            if not page["has_more"]:
                break
        assert found == {f"s{n}" for n in range(30)}
        newest = await call(client, "list_execution_results", session="s1")
        assert newest == {"executions": ["e2", "e3", "e4", "e5"], "has_more": True}
        for key in (await call(client, "list_values", limit=500))["keys"]:
            await call(client, "drop_value", key=key)


async def test_anothers_sessions_are_not_there(as_owner: Start) -> None:
    async with as_owner("ada" * 80) as ada, as_owner("eve") as eve:
        await call(ada, "save_workflow_session", session="s1", context={"secret": 1}, ttl=60)
        await call(ada, "save_execution_result", execution="e1", result={"secret": 1}, ttl=60)
        assert (await call(eve, "list_workflow_sessions"))["sessions"] == []
        for tool, arguments in (("resume_workflow_session", {"session": "s1"}), ("fetch_execution_result", {"execution": "e1"})):
            with pytest.raises(Failed):
                await call(eve, tool, **arguments)
        assert (await call(ada, "resume_workflow_session", session="s1"))["context"] == {"secret": 1}
