"""Results of executions, by their ids and by session and flow, on every kind of store."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import clew
from clew.adapters.flywheel import FlowStatus, RedisExecutionCache
from clew.limits import MAX_DATA_BYTES


async def test_a_result_is_kept_with_its_status_and_links_both_ways(
    cache: RedisExecutionCache, store: clew.Store, prefix: str
) -> None:
    at = datetime(2025, 1, 1)
    assert await cache.cache_result("e1", {}, session_id="s:1", flow_id="f1", status=FlowStatus.RUNNING)
    assert await cache.cache_result("e1", {"output": [1, None], "at": at}, session_id="s:1", flow_id="f1")
    assert await cache.cache_result("e2", {"error": "no"}, session_id="s:1", flow_id="f1", status="failed")
    assert await cache.cache_result("e3", {}, session_id="s:1", flow_id="f2")
    assert await cache.cache_result("e4", {}, session_id="s", flow_id="f1")
    assert await cache.get_result("e1") == {"output": [1, None], "at": at}
    found = (await cache.fetch_execution("e2")).value
    assert found is not None
    assert (found.session_id, found.flow_id, found.status, found.result) == ("s:1", "f1", "failed", {"error": "no"})
    assert found.cached_at is not None
    assert datetime.now(UTC) - found.cached_at < timedelta(minutes=1)
    lines = await cache.get_flow_history("s:1", "f1")
    assert [(line["execution_id"], line["status"]) for line in lines] == [("e1", "completed"), ("e2", "failed")]
    assert sorted(await cache.list_flows("s:1")) == ["f1", "f2"]
    assert await cache.list_flows("s") == ["f1"]
    assert await cache.list_executions("s:1") == ["e1", "e2", "e3"]
    assert await cache.list_executions("s:1", "f2") == ["e3"]
    raw = await store.values().get_data(f"{prefix}:execution:e2")
    document = json.loads(raw or b"")
    assert (document["execution_id"], document["result"], document["_schema_version"]) == ("e2", {"error": "no"}, "1.1")
    raw = await store.values().get_data(f"{prefix}:history:s:1:f1")
    document = json.loads(raw or b"")
    assert (document["session_id"], document["flow_id"], len(document["executions"])) == ("s:1", "f1", 3)
    for key, most in (("execution:e1", 3_600_000), ("history:s:1:f1", 86_400_000)):
        value = await store.values(f"{prefix}:").get(key)
        assert value is not None
        assert value.ttl_ms is not None
        assert most - 100_000 < value.ttl_ms <= most
    assert (await cache.delete_result("e1")).status == "deleted"
    assert (await cache.delete_result("e1")).status == "missing"
    assert (await cache.fetch_execution("e1")).status == "missing"


async def test_lines_of_many_at_once_are_all_there(cache: RedisExecutionCache) -> None:
    outcomes = await asyncio.gather(
        *(cache.cache_result(f"e{n}", {"n": n}, session_id="s", flow_id="f", ttl_seconds=60) for n in range(30))
    )
    assert all(outcomes)
    assert sorted(await cache.list_executions("s")) == sorted(f"e{n}" for n in range(30))


async def test_a_history_that_another_tool_wrote_is_read_and_added_to(
    cache: RedisExecutionCache, store: clew.Store, prefix: str
) -> None:
    values = store.values(f"{prefix}:")
    theirs = {"session_id": "s", "flow_id": "f", "executions": [{"output": "1"}], "cached_at": "2025-11-18T10:00:00"}
    await values.put_data("history:s:f", json.dumps(theirs).encode())
    assert await cache.get_flow_history("s", "f") == [{"output": "1"}]
    assert await cache.cache_result("e", {}, session_id="s", flow_id="f")
    found = await cache.get_flow_history("s", "f")
    assert (found[0], found[1]["execution_id"]) == ({"output": "1"}, "e")
    assert await cache.cache_flow_history("s", "f", [{"only": 1}])
    assert await cache.get_flow_history("s", "f") == [{"only": 1}]
    await values.put_data("history:t:f", json.dumps(theirs | {"executions": ["e1", {"execution_id": "e2"}]}).encode())
    assert await cache.list_executions("t") == ["e2"]
    await values.put_data("execution:a", b'{"output": 1}')
    await values.put_data("execution:b", b'{"execution_id": "b", "result": {"output": 2}, "cached_at": "2025-11-18T10:00:00"}')
    assert (await cache.get_result("a"), await cache.get_result("b")) == ({"output": 1}, {"output": 2})
    b = (await cache.fetch_execution("b")).value
    assert b is not None
    assert b.cached_at == datetime(2025, 11, 18, 10)
    await values.put_data("execution:c", b'{"_schema_version": "2.0"}')
    assert (await cache.fetch_execution("c")).status == "unreadable"


async def test_a_history_that_is_full_loses_its_older_half(memory: clew.Store) -> None:
    cache = RedisExecutionCache(store=memory)
    half = MAX_DATA_BYTES // 2
    executions = [{"n": 0, "pad": "x" * half}, {"n": 1, "pad": "x" * (half - 1_200)}]
    assert await cache.cache_flow_history("s", "f", executions)
    for n in range(30):
        assert await cache.cache_result(f"e{n}", {}, session_id="s", flow_id="f")
    names = [line.get("execution_id") for line in await cache.get_flow_history("s", "f")]
    assert 20 < len(names) < 30
    assert names == [f"e{n}" for n in range(30)][-len(names) :]


async def test_wrong_calls_are_refused_and_raise_nothing(memory: clew.Store) -> None:
    cache: Any = RedisExecutionCache(store=memory)
    for outcome in (
        await cache.cache_result("", {}),
        await cache.cache_result("e", "text"),
        await cache.cache_result("e", {"a": {1}}),
        await cache.cache_result("e", {}, session_id="s"),
        await cache.cache_result("e", {}, session_id="s", flow_id="a:b"),
        await cache.cache_result("e", {}, status=None),
        await cache.cache_result("e", {}, ttl_seconds=0),
        await cache.cache_flow_history("s", "f", {}),
        await cache.cache_flow_history("s", "f", ["text"]),
        await cache.fetch_flow_history("s", "a:b"),
        await cache.fetch_execution(None),
        await cache.delete_result(""),
    ):
        assert (bool(outcome), outcome.status) == (False, "refused")
    assert list(await memory.values().list()) == []
    with pytest.raises(clew.InvalidError):
        RedisExecutionCache(store=memory, history_ttl_seconds=0)
