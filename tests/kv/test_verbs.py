"""The direct client: JSON in and out, sets and lists, and the very bytes that other programs see."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import clew
from clew.backend import Values
from clew.kv import KeyValue, get_redis
from servers import Server

from ..conftest import Pool
from ..support import wait_until


@pytest.mark.parametrize("value", [True, 0, -1.5, "", "42", "null", '{"a": 1}', "🧵", [], {}, {"a": [1, {"b": None}]}], ids=repr)
async def test_a_document_comes_back_as_what_it_was(redis: KeyValue, value: Any) -> None:
    assert await redis.set("k", value) is True
    found = await redis.get("k")
    assert found == value
    assert type(found) is type(value), "text that looks like a number stays text"


@pytest.mark.parametrize("data", [b"", b"42", b"plain text", bytes(range(256))])
async def test_bytes_come_back_as_the_same_bytes(redis: KeyValue, data: bytes) -> None:
    await redis.set("k", data)
    assert await redis.get("k", raw=True) == data


async def test_what_is_not_there_is_none_or_empty(redis: KeyValue) -> None:
    assert await redis.get("k") is None
    assert await redis.get("k", raw=True) is None
    assert await redis.smembers("k") == set()
    assert await redis.lrange("k") == []
    assert await redis.llen("k") == 0
    assert await redis.delete("k") == 0
    assert await redis.expire("k", 60) is False


async def test_what_is_no_json_says_how_to_read_it(redis: KeyValue) -> None:
    await redis.set("k", b"plain text")
    with pytest.raises(clew.UnreadableError, match="raw=True"):
        await redis.get("k")
    await redis.rpush("l", b"\xff")
    await redis.sadd("s", b"\xff")
    for asked in (redis.lrange("l"), redis.smembers("s")):
        with pytest.raises(clew.UnreadableError, match="raw=True"):
            await asked
    assert await redis.lrange("l", raw=True) == [b"\xff"]
    assert await redis.smembers("s", raw=True) == {b"\xff"}


async def test_sets_and_lists_take_text_and_bytes(redis: KeyValue) -> None:
    assert await redis.sadd("s", "a", "ø", b"b") == 3
    assert await redis.sadd("s", "a", "c") == 1
    assert await redis.smembers("s") == {"a", "ø", "b", "c"}
    assert await redis.srem("s", "a", "z") == 1
    assert await redis.rpush("l", "1", b"2") == 2
    assert await redis.rpush("l", "3") == 3
    assert await redis.lrange("l") == ["1", "2", "3"]
    assert await redis.lrange("l", -2) == ["2", "3"]
    assert await redis.lrange("l", 0, 0) == ["1"]
    assert await redis.llen("l") == 3
    assert await redis.delete("s", "l", "nothing") == 2


async def test_the_sessions_of_system_three_read_as_they_were_written(redis: KeyValue) -> None:
    session = {"id": "sess_1", "name": "Plans", "volume": "user", "messages": [], "metadata": {}}
    messages = [{"role": "user", "content": f"{n}", "timestamp": "2026-01-01T00:00:00Z"} for n in range(3)]
    await redis.set("session:sess_1", session)
    await redis.sadd("user:default:sessions", "sess_1")
    await redis.sadd("all:sessions", "sess_1")
    await redis.rpush("session:sess_1:messages", *[json.dumps(message) for message in messages])

    (found,) = await redis.smembers("user:default:sessions")
    assert await redis.get(f"session:{found}") == session
    assert [json.loads(message) for message in await redis.lrange(f"session:{found}:messages")] == messages


async def test_times_are_seconds_for_every_kind_of_key(redis: KeyValue) -> None:
    await redis.set("k", 1, ex=0.05)
    await redis.set("stays", 1, ex=60)
    await redis.set("stays", 2)
    await redis.rpush("l", "1")
    assert await redis.expire("l", 0.05)
    assert await redis.expire("l", None)
    await redis.sadd("s", "1")
    assert await redis.expire("s", 0.05)

    async def are_over() -> bool:
        return await redis.get("k") is None and not await redis.smembers("s")

    await wait_until(are_over)
    assert await redis.lrange("l") == ["1"]
    assert await redis.get("stays") == 2


async def test_a_key_holds_one_kind_of_thing(redis: KeyValue) -> None:
    await redis.rpush("l", "1")
    for asked in (redis.get("l"), redis.set("l", 1), redis.sadd("l", "1"), redis.smembers("l")):
        with pytest.raises(clew.InvalidError, match="another type"):
            await asked
    assert await redis.lrange("l") == ["1"]


async def test_many_push_at_once_and_nothing_is_lost(redis: KeyValue) -> None:
    lengths = await asyncio.gather(*(redis.rpush("l", f"{n}") for n in range(200)))
    assert sorted(lengths) == list(range(1, 201))
    assert sorted(await redis.lrange("l"), key=int) == [f"{n}" for n in range(200)]


@pytest.mark.parametrize("bad", [1, None, {"a": 1}, ["a"], "\ud800"])
async def test_what_is_no_text_is_refused_and_nothing_is_sent(redis: KeyValue, bad: Any) -> None:
    for asked in (redis.rpush("l", "good", bad), redis.sadd("s", bad), redis.srem("s", bad)):
        with pytest.raises(clew.InvalidError):
            await asked
    assert (await redis.lrange("l"), await redis.smembers("s")) == ([], set())


async def test_calls_without_anything_are_refused(redis: KeyValue) -> None:
    for asked in (
        redis.rpush("l"),
        redis.sadd("s"),
        redis.delete(),
        redis.set("", 1),
        redis.set("k", 1, ex=0),
        redis.expire("k", -1),
    ):
        with pytest.raises(clew.InvalidError):
            await asked


@pytest.mark.parametrize("kind", ["redis-8.2", "valkey-9.1"])
async def test_other_programs_see_the_types_of_redis_and_the_other_way_round(pool: Pool, kind: str) -> None:
    server = pool.get(kind)
    assert isinstance(server, Server)
    async with get_redis(server.url) as redis:
        try:
            await redis.set("t:k", {"a": "ø"}, ex=60)
            await redis.sadd("t:s", "1", "2")
            await redis.rpush("t:l", "1", "2")
            assert server.call("GET", "t:k") == '{"a":"ø"}'
            assert 0 < int(str(server.call("TTL", "t:k"))) <= 60
            assert [server.call("TYPE", key) for key in ("t:k", "t:s", "t:l")] == ["string", "set", "list"]
            assert server.call("LRANGE", "t:l", 0, -1) == ["1", "2"]

            server.call("SET", "t:k", ' {"b": [2]}\n')
            server.call("RPUSH", "t:l", "3")
            server.call("SADD", "t:s", "3")
            assert await redis.get("t:k") == {"b": [2]}
            assert await redis.lrange("t:l") == ["1", "2", "3"]
            assert await redis.smembers("t:s") == {"1", "2", "3"}
        finally:
            await redis.delete("t:k", "t:s", "t:l")


async def test_a_document_is_a_value_of_the_store(url: str) -> None:
    if url == "memory://":
        pytest.skip("each store in memory is one of its own: no second program can look into it")
    async with get_redis(url) as redis, clew.connect(url) as store:
        await redis.set("t:k", {"a": 1})
        found = await store.values("t:").get("k")
        assert found is not None
        assert found.value == {"a": 1}
        assert isinstance(store.backend, Values)
        await store.values("t:").delete("k")
        assert await redis.get("t:k") is None
