"""`--layout openai-agents`: what RedisSession of openai-agents has written."""

from __future__ import annotations

import json

import pytest
import redis.asyncio
from agents.extensions.memory.redis_session import RedisSession
from redis import Redis

import clew
from clew import Ref
from clew.moving.layouts import openai_agents

from .conftest import Bring

TURN: list[dict[str, object]] = [
    {"role": "user", "content": "Weather in Oslo?"},
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"place": "Oslo"}',
        "status": "completed",
    },
    {"type": "function_call_output", "call_id": "call_1", "output": "4 degrees"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Cold."}],
    },
]


async def fill(url: str, session: str, items: list[dict[str, object]], **options: int) -> None:
    """Let the package write a session."""
    async with redis.asyncio.Redis.from_url(url) as client:
        await RedisSession(session, redis_client=client, **options).add_items(items)  # type: ignore[arg-type]


async def test_a_session_comes_with_ids_roles_and_tool_calls_and_a_second_move_adds_nothing(
    foreign: Redis, foreign_url: str, store: clew.Store, bring: Bring
) -> None:
    await fill(foreign_url, "s:1", TURN)
    await fill(foreign_url, "s2", TURN[:1], ttl=3600)
    before = {key: foreign.dump(key) for key in foreign.scan_iter()}
    dry = await bring("openai-agents", dry=True)
    assert (dry.threads, dry.items, dry.left) == (2, 5, 0)
    assert not (await store.threads.list("ada")).data
    report = await bring("openai-agents")
    assert (report.threads, report.items, report.there, report.left) == (2, 5, 0, 0)
    items = list(await store.items.page(Ref("ada", "s:1")))
    assert [item.json() for item in items] == TURN
    assert [(item.kind, item.author, item.links, item.status) for item in items] == [
        ("message", "user", (), None),
        ("tool_call", "assistant", ("call_1",), "completed"),
        ("tool_result", "tool", ("call_1",), None),
        ("message", "assistant", (), "completed"),
    ]
    assert [items[1].id, items[3].id] == ["fc_1", "msg_1"]
    assert items[0].codec == openai_agents.CODEC
    assert set((await store.threads.get(Ref("ada", "s:1"))).metadata) == {"created_at", "updated_at"}
    expires = (await store.threads.get(Ref("ada", "s2"))).expires_at
    assert expires is not None
    again = await bring("openai-agents")
    assert (again.threads, again.items, again.there, again.left) == (2, 0, 5, 0)
    await fill(foreign_url, "s2", TURN[:1])
    assert ((await bring("openai-agents")).items, len(await store.items.page(Ref("ada", "s2")))) == (1, 2)
    assert before[b"agents:session:s:1:messages"] == foreign.dump("agents:session:s:1:messages")


async def test_what_cannot_be_read_is_told_and_the_rest_comes(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    key = "agents:session:s:messages"
    same = '{"type":"message","role":"user","id":"m"}'
    foreign.rpush(key, same, '{"role": ', "7", '["x"]', '{"secret": 1}', b"\xff\xfe", "", same, '{"role":"user","content":"end"}')
    foreign.hset("agents:session:u:messages", "session_id", "u:messages")
    foreign.hset("agents:session:v:messages", "session_id", "another type")
    foreign.set("agents:session:w:messages", "a string")
    foreign.rpush(b"agents:session:\xff:messages", "{}")
    foreign.psetex("agents:session:gone:messages", 1, "expired")
    report = await bring("openai-agents")
    told = sorted((broken.kind, broken.thread) for broken in report.details if broken.kind == "item")
    assert told == [("item", "s")] * 6
    assert sorted(broken.where for broken in report.details if broken.kind == "thread") == [
        "agents:session:v:messages",
        "agents:session:w:messages",
        "agents:session:�:messages",
    ]
    assert report.left == 9
    assert "secret" not in json.dumps([broken.to_json() for broken in report.details])
    items = list(await store.items.page(Ref("ada", "s")))
    assert [item.data.decode() for item in items] == [same, same, '{"role":"user","content":"end"}']
    assert items[0].id == "m"
    assert items[1].id != "m"


@pytest.mark.parametrize("prefix", ["app", "*[x]"])
async def test_keys_have_another_prefix(prefix: str, foreign: Redis, store: clew.Store, bring: Bring) -> None:
    foreign.rpush(f"{prefix}:s:messages", '{"role":"user"}')
    foreign.rpush("appx:t:messages", '{"role":"user"}')
    assert (await bring("openai-agents", prefix=prefix)).threads == 1
    assert [thread.id for thread in await store.threads.list("ada")] == ["s"]
