"""Lists of other providers become threads: read from a real server's list, in order, once however often it is run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from agent_framework import Content, Message

from clew import Ref, Store
from clew.adapters.agent_framework import ClewHistoryProvider, import_messages
from clew.errors import UnreadableError

from .driver import shape

RECORDS = [
    Message("user", ["Weather?"]).to_json(),
    Message("assistant", [Content.from_function_call(call_id="c1", name="weather", arguments="{}")]).to_json(),
    Message("tool", [Content.from_function_result("c1", result="sunny")]).to_json(),
    # As the betas wrote it.
    json.dumps(
        {
            "type": "chat_message",
            "role": {"type": "role", "value": "assistant"},
            "contents": [{"type": "text", "text": "Sunny."}],
            "additional_properties": {},
        }
    ),
]
HISTORY = [("user", "Weather?"), ("assistant", "c1"), ("tool", "c1"), ("assistant", "Sunny.")]


async def test_a_list_becomes_a_thread_with_a_title(store: Store) -> None:
    assert await import_messages(store, "ada", "thread_1", RECORDS) == 4
    provider = ClewHistoryProvider(store, owner="ada")
    assert shape(await provider.get_messages("thread_1")) == HISTORY
    assert [t.title for t in await provider.list_sessions()] == ["Weather?"]


async def test_an_import_that_is_run_again_adds_only_what_is_new(store: Store) -> None:
    assert await import_messages(store, "ada", "thread_1", RECORDS[:2]) == 2
    assert await import_messages(store, "ada", "thread_1", [r.encode() for r in RECORDS]) == 2
    assert await import_messages(store, "ada", "thread_1", RECORDS) == 0
    assert len(await store.items.tail(Ref("ada", "thread_1"))) == 4


async def test_equal_records_of_a_list_are_all_kept(store: Store) -> None:
    assert await import_messages(store, "ada", "thread_1", [RECORDS[0]] * 3) == 3


@pytest.mark.parametrize("bad", ["{", "[]", '{"type":"message"}', '{"role":"user","contents":[{"type":"text","colour":1}]}'])
async def test_a_record_that_is_no_message_is_named(store: Store, bad: str) -> None:
    with pytest.raises(UnreadableError, match="record 1 "):
        await import_messages(store, "ada", "thread_1", [RECORDS[0], bad])


async def test_the_lists_of_the_lab_are_read_where_they_stand(store: Store, pool: Callable[..., object]) -> None:
    server = pool.get("valkey-9.1")  # type: ignore[attr-defined]
    key = "lab11:thread_3f2b"
    with server.control() as client:
        client.rpush(key, *RECORDS)
        records = client.lrange(key, 0, -1)
        client.delete(key)
    await import_messages(store, "ada", key.removeprefix("lab11:"), records)
    assert shape(await ClewHistoryProvider(store, owner="ada").get_messages("thread_3f2b")) == HISTORY
