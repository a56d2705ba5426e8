"""Threads that lie as lists: of Lab 11 and of agent-framework-redis, whose keys are written here exactly as their sources do."""

from __future__ import annotations

import json

from agent_framework import Content, Message
from agent_framework._filesystem import _storage_key_segment
from redis import Redis

import clew
from clew import Ref
from clew.adapters.agent_framework import ClewHistoryProvider
from clew.moving import lists

from .conftest import Bring

THREAD = "thread_0f0e5a3c-8f5b-4d7b-9a39-0f2f7a1c6b11"
KEY = f"lab11:{THREAD}"


def say(n: int) -> str:
    """Return a message of today's form; every third one is the same."""
    return json.dumps(Message("user", ["again" if n % 3 == 0 else f"message {n}"]).to_dict())


async def texts(store: clew.Store, thread: str = THREAD, owner: str = "ada") -> list[str]:
    """Return what the framework gets to read of a thread."""
    return [message.text for message in await ClewHistoryProvider(store, owner=owner).get_messages(thread)]


def expected(*numbers: int) -> list[str]:
    """Return the texts of these messages."""
    return ["again" if n % 3 == 0 else f"message {n}" for n in numbers]


async def test_messages_of_the_betas_and_of_today_are_read_by_the_framework(
    foreign: Redis, store: clew.Store, bring: Bring
) -> None:
    call = Content.from_function_call(call_id="c1", name="weather", arguments='{"place": "Oslo"}')
    result = Content.from_function_result(call_id="c1", result="4 degrees")
    today = [Message("assistant", [call]), Message("tool", [result]), Message("assistant", ["Cold."], message_id="m1")]
    written = [json.dumps(message.to_dict()) for message in today]
    beta = {"type": "chat_message", "role": {"type": "role", "value": "user"}, "contents": [{"type": "text", "text": "Weather?"}]}
    foreign.rpush(KEY, json.dumps(beta), *written)
    foreign.rpush(
        "lab11:thread_broken", "{", '{"role": 7}', '{"type":"message","role":"user","contents":[{"type":"text","no":1}]}'
    )
    foreign.set("lab11:thread_string", "x")
    report = await bring("lab11")
    assert (report.threads, report.items, report.left) == (2, 4, 4)
    items = list(await store.items.page(Ref("ada", THREAD)))
    assert [item.data.decode() for item in items[1:]] == written
    assert [(item.kind, item.links) for item in items[1:3]] == [("tool_call", ("c1",)), ("tool_result", ("c1",))]
    assert items[3].id == "m1"
    assert (await store.threads.get(Ref("ada", THREAD))).title == "Weather?"
    assert (await texts(store))[0] == "Weather?"
    assert (await bring("lab11")).items == 0


async def test_a_list_that_its_writer_cuts_off_is_found_again_and_nothing_is_doubled_or_lost(
    foreign: Redis, store: clew.Store, bring: Bring
) -> None:
    foreign.rpush(KEY, *map(say, range(20)))
    assert (await bring("lab11")).items == 20
    # As the lab does it: append, then keep the newest.
    foreign.rpush(KEY, *map(say, range(20, 30)))
    foreign.ltrim(KEY, -15, -1)
    assert (await bring("lab11")).items == 10
    foreign.ltrim(KEY, -2, -1)
    foreign.rpush(KEY, say(30))
    assert (await bring("lab11")).items == 1
    assert await texts(store) == expected(*range(31))
    # All that was known is gone.
    foreign.delete(KEY)
    foreign.rpush(KEY, say(31), say(32))
    assert (await bring("lab11")).items == 2
    assert (await bring("lab11")).there == 2
    assert await texts(store) == expected(*range(33))


async def test_a_list_that_grows_and_is_cut_while_it_is_read_comes_whole(
    foreign: Redis, store: clew.Store, bring: Bring, monkeypatch: object
) -> None:
    foreign.rpush(KEY, *map(say, range(200)))
    make, calls = lists.FoundList.make, []

    async def make_and_cut(self: lists.FoundList, elements: list[bytes], place: int, seen: set[str]) -> object:
        calls.append(place)
        if len(calls) == 2:
            foreign.ltrim(KEY, 50, -1)
            foreign.rpush(KEY, *map(say, range(200, 220)))
        return await make(self, elements, place, seen)

    monkeypatch.setattr(lists.FoundList, "make", make_and_cut)  # type: ignore[attr-defined]
    report = await bring("lab11")
    assert (report.items, report.left) == (220, 0)
    assert await texts(store) == expected(*range(220))


async def test_a_list_that_is_emptied_while_it_is_read_comes_as_far_as_it_was(
    foreign: Redis, store: clew.Store, bring: Bring, monkeypatch: object
) -> None:
    foreign.rpush(KEY, *map(say, range(100)))
    make = lists.FoundList.make

    async def make_and_delete(self: lists.FoundList, elements: list[bytes], place: int, seen: set[str]) -> object:
        foreign.delete(KEY)
        return await make(self, elements, place, seen)

    monkeypatch.setattr(lists.FoundList, "make", make_and_delete)  # type: ignore[attr-defined]
    report = await bring("lab11")
    assert (report.items, report.left) == (lists.FIRST, 0)


def key_of(session: str, *, tenant: str | None = None, app: str = "app", source: str = "redis_memory") -> str:
    """Return the key as RedisHistoryProvider makes it, by the framework's own function for the parts."""

    def part(name: str, text: str | None) -> str:
        return "~none" if text is None else _storage_key_segment(text, encoded_prefix=f"~redis-{name}-")

    parts = (part("tenant", tenant), part("application", app), "~none", part("source", source), part("session", session))
    return "|".join((part("key-prefix", "chat_messages"), "v2", *parts))


async def test_the_sessions_of_every_scope_are_kept_apart(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    long = "long " * 100
    foreign.rpush(key_of("s 1/ü"), say(1))
    foreign.rpush(key_of("s 1/ü", app="other"), say(2))
    foreign.rpush(key_of("s", tenant="Team | A"), say(4))
    foreign.rpush(key_of(long), say(5))
    foreign.rpush("chat_messages:legacy:1", say(7))
    foreign.rpush("chat_messages|v2|too|few", say(8))
    report = await bring("agent-framework-redis")
    assert (report.threads, report.items) == (5, 5)
    assert [broken.where for broken in report.details] == ["chat_messages|v2|too|few"]
    assert await texts(store, "s", "Team | A") == expected(4)
    assert await texts(store, "legacy:1") == expected(7)
    ids = [thread.id for thread in await store.threads.list("ada")]
    same = [id for id in ids if id.startswith("s 1/ü")]
    assert len(same) == 2
    assert "s 1/ü" in same
    assert sorted([await texts(store, id) for id in same]) == sorted([expected(1), expected(2)])
    # What was too long is there as a digest only.
    assert [id for id in ids if id.startswith("~redis-session-")]
    named = await store.threads.get(Ref("Team | A", "s"))
    assert named.metadata == {"tenant": "Team | A", "application": "app", "source": "redis_memory"}
    again = await bring("agent-framework-redis")
    assert (again.items, again.there) == (0, 5)
    # Only what is this owner's, and what is nobody's.
    assert (await bring("agent-framework-redis", only="ada")).threads == 4


async def test_what_is_deleted_or_made_in_clew_is_left_alone(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    foreign.rpush("lab11:a", say(1))
    foreign.rpush("lab11:b", say(2))
    await bring("lab11")
    await store.threads.delete(Ref("ada", "a"))
    foreign.rpush("lab11:c", say(4))
    await store.threads.create("ada", id="c", title="mine")
    report = await bring("lab11")
    assert [(broken.kind, broken.thread) for broken in report.details] == [("thread", "a")]
    assert (await store.threads.get(Ref("ada", "c"))).title == "mine"
    assert len(await store.items.page(Ref("ada", "c"))) == 0
    (other,) = [thread.id for thread in await store.threads.list("ada") if thread.id.startswith("c~")]
    assert await texts(store, other) == expected(4)
    assert (await bring("lab11")).items == 0


async def test_an_item_that_is_too_large_is_left_alone(foreign: Redis, store: clew.Store, bring: Bring) -> None:
    foreign.rpush(KEY, say(1), json.dumps(Message("user", ["x" * (8 * 1024 * 1024)]).to_dict()), say(2))
    report = await bring("lab11")
    assert (report.items, [broken.kind for broken in report.details]) == (2, ["item"])
    assert "8,388,608 are allowed" in report.details[0].reason
    assert await texts(store) == expected(1, 2)
