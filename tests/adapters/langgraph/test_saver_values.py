"""What comes back is what went in: held to LangGraph's own saver in memory, step for step."""

from __future__ import annotations

import random
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

import clew
from clew.adapters.langgraph import ClewSaver, writing
from clew.checkpoints import PutCheckpoint

from .saver_support import EMPTY, Thread, config_of, everything, get, put, speak

KEY = b"0123456789abcdef"


class Colour(Enum):
    """A class of the program's own, as the others below."""

    RED = "red"


@dataclass
class Weather:
    place: str
    degrees: float


class Order(BaseModel):
    number: int
    when: datetime


SERDES: dict[str, Callable[[], SerializerProtocol]] = {
    "plain": JsonPlusSerializer,
    "encrypted": lambda: EncryptedSerializer.from_pycryptodome_aes(key=KEY),
    "pickle": lambda: JsonPlusSerializer(pickle_fallback=True),
}
HARD: dict[str, Any] = {
    "none": None,
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "text": "a\0b ☃ \U0001f600",
    "numbers": [0, -1, 2**63, 1.5, float("inf"), True],
    "when": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "naive": datetime(2026, 1, 2),
    "date": date(2026, 1, 2),
    "delta": timedelta(days=1, microseconds=7),
    "uuid": UUID(int=7),
    "decimal": Decimal("1.10"),
    "path": Path("/a/b"),
    "set": {1, 2},
    "frozen": frozenset({"a"}),
    "deque": deque([1, 2]),
    "enum": Colour.RED,
    "dataclass": Weather("Lyon", 21.5),
    "model": Order(number=7, when=datetime(2026, 1, 2, tzinfo=UTC)),
    "keys": {1: "one", (1, 2): "two", None: 3},
    "empty list": [],
    "lists": [[1, [2, {"a": [3]}]], []],
    "mixed": [HumanMessage("hello", id="1"), {"role": "user"}, 7],
    "message": AIMessage("alone", id="2"),
    "removal": [RemoveMessage(id="1")],
    "large": list(range(70_000)),
}


@pytest.mark.parametrize("kind", SERDES)
async def test_a_value_of_any_type_comes_back_as_from_memory(kind: str, store: clew.Store) -> None:
    serde = SERDES[kind]()
    mine, theirs = ClewSaver(store, owner="ada", serde=serde), InMemorySaver(serde=serde)
    thread = Thread([theirs, mine], "hard")
    await thread.put(HARD)
    await thread.write(list(HARD.items()))
    again = ClewSaver(store, owner="ada", serde=serde)
    assert await everything(again, "hard") == await everything(theirs, "hard")
    found = await get(again, "hard")
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in (await get(theirs, "hard")).items()
    }
    assert found["model"] == HARD["model"]
    assert found["dataclass"] == HARD["dataclass"]


@pytest.mark.parametrize(("kind", "seed"), [("plain", 1), ("plain", 2), ("encrypted", 3)])
async def test_what_a_graph_does_to_its_lists_is_read_as_from_memory(seed: int, kind: str, store: clew.Store) -> None:
    """Appends, edits, removals, new orders, forks, other processes, other lists, subgraphs, writes: at random."""
    chance, serde = random.Random(seed), SERDES[kind]()
    theirs = InMemorySaver(serde=serde)
    made = [ClewSaver(store, owner="ada", serde=serde) for _ in range(2)]
    root = Thread([theirs, made[0]], "talk")
    child = Thread([theirs, made[0]], "talk", "agent:1|tools:2")
    said = 0
    for turn in range(40):
        thread = root if chance.random() < 0.8 else child
        thread.savers[1] = chance.choice(made) if turn % 7 else ClewSaver(store, owner="ada", serde=serde)
        messages = list(thread.values.get("messages", ()))
        messages = [] if messages is EMPTY else messages
        what = chance.randrange(10)
        if what < 5 or not messages:
            messages += [speak(said + more) for more in range(chance.randrange(1, 4))]
            said += 4
        elif what == 5:
            at = chance.randrange(len(messages))
            messages[at] = messages[at].model_copy(update={"content": f"edited {turn}"})
        elif what == 6:
            del messages[chance.randrange(len(messages)) :]
        elif what == 7:
            chance.shuffle(messages)
        elif what == 8:
            messages.append(messages[0])
        elif thread.puts:
            found = await theirs.aget_tuple(chance.choice(thread.puts))
            assert found is not None
            thread.go_back(found)
            messages = [*thread.values.get("messages", []), speak(said)]
        notes = [*thread.values.get("notes", []), turn] if chance.random() < 0.9 else ["new", turn]
        await thread.put({"messages": messages, "notes": notes, "turn": turn})
        if chance.random() < 0.3:
            await thread.write([("messages", messages[-1:]), ("turn", turn)], f"task-{turn}", chance.choice(["", "~1", "~2"]))
        if chance.random() < 0.2:
            await made[0].aget_tuple(thread.puts[0])
    assert await everything(made[1], "talk") == await everything(theirs, "talk")


async def test_a_channel_that_was_emptied_has_no_value_and_its_older_checkpoints_have_theirs(saver: ClewSaver) -> None:
    thread = Thread(saver, "emptied")
    await thread.put({"a": 1, "b": [1]})
    await thread.put({"a": EMPTY})
    assert await get(saver, "emptied") == {"b": [1]}
    first = await saver.aget_tuple(thread.puts[0])
    assert first is not None
    assert first.checkpoint["channel_values"] == {"a": 1, "b": [1]}


async def test_versions_grow_and_those_of_other_savers_are_gone_on_from(saver: ClewSaver) -> None:
    first = saver.get_next_version(None, None)
    assert saver.get_next_version(first, None) > first
    assert len({saver.get_next_version(first, None) for _ in range(100)}) == 100
    assert saver.get_next_version("00000000000000000000000000000007.0.3", None) >> 28 == 8
    thread = Thread(saver, "old")
    thread.versions = {"a": "00000000000000000000000000000007.0.3123"}
    await thread.put({"b": 1})
    found = await saver.aget_tuple(config_of("old"))
    assert found is not None
    versions = found.checkpoint["channel_versions"]
    assert versions["a"] == found.checkpoint["versions_seen"]["agent"]["a"]
    assert all(isinstance(version, int) for version in versions.values())
    assert int(versions["a"]) >> 28 == 7


async def test_nothing_that_was_said_can_be_read_in_the_store_of_an_encrypting_saver(store: clew.Store) -> None:
    serde = SERDES["encrypted"]()
    saver = ClewSaver(store, owner="ada", serde=serde)
    thread = Thread(saver, "secret")
    said = HumanMessage("the secret word", id="1")
    await thread.put({"messages": [said], "other": ["the secret word"]}, note="the secret word")
    await thread.write([("messages", "the secret word")])
    page = await store.checkpoints.list(clew.Ref("ada", "secret"))
    items = await store.items.tail(clew.Ref("ada", "secret"))
    kept = [page.checkpoints[0].head, *(part.data for part in page.parts.values()), *(item.data for item in items)]
    kept += [write.data for write in page.checkpoints[0].writes]
    assert len(kept) == 5
    assert not any(b"secret" in data for data in kept)
    assert [item.codec for item in items] == ["langgraph/msgpack+aes"]
    assert [found async for found in saver.alist(None, filter={"note": "the secret word"})] != []


class Zipped:
    """A serializer of a program's own, whose bytes are no MessagePack."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """See SerializerProtocol."""
        kind, data = JsonPlusSerializer().dumps_typed(obj)
        return f"{kind}-zipped", zlib.compress(data)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """See SerializerProtocol."""
        return JsonPlusSerializer().loads_typed((data[0].removesuffix("-zipped"), zlib.decompress(data[1])))


async def test_a_serializer_of_a_programs_own_has_each_message_stored_once_too(store: clew.Store) -> None:
    thread = Thread(ClewSaver(store, owner="ada", serde=Zipped()), "zipped")
    for number in range(1, 5):
        await thread.put({"messages": [speak(0), speak(0)][: number % 3] + thread.values.get("messages", []), "number": number})
        thread.savers = [ClewSaver(store, owner="ada", serde=Zipped())]
        found = await thread.savers[0].aget_tuple(thread.config)
        assert found is not None
        assert found.checkpoint["channel_values"] == thread.values
    items = await store.items.tail(clew.Ref("ada", "zipped"))
    assert len(items) == len(thread.values["messages"]) == 4
    assert {item.codec for item in items} == {"langgraph/msgpack-zipped"}


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
async def test_more_new_messages_than_one_commit_holds_are_all_there(
    kind: str, store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_ITEMS", 5)
    monkeypatch.setattr(writing, "MOST_BYTES", 2_000)
    saver = ClewSaver(store, owner="ada", serde=SERDES[kind]())
    thread = Thread(saver, "many")
    await thread.put({"messages": [speak(number, 10 if number % 9 else 3_000) for number in range(23)]})
    await thread.put({"messages": [*thread.values["messages"][3:], *(speak(number) for number in range(7))], "other": [1]})
    assert await get(ClewSaver(store, owner="ada", serde=SERDES[kind]()), "many") == thread.values
    assert len(await store.items.tail(clew.Ref("ada", "many"))) == 30


async def test_a_thread_can_be_deleted_without_the_key_to_read_it(store: clew.Store, caplog: pytest.LogCaptureFixture) -> None:
    await put(ClewSaver(store, owner="ada", serde=SERDES["encrypted"]()), "secret", run_id="run")
    other = ClewSaver(store, owner="ada", serde=EncryptedSerializer.from_pycryptodome_aes(key=KEY[::-1]))
    with pytest.raises(ValueError, match="MAC"):
        await get(other, "secret")
    await other.adelete_thread("secret")
    assert await get(other, "secret") is None
    assert "cannot be read" in caplog.text


async def test_a_saver_with_an_allowlist_shares_the_connection_and_closes_nothing(store: clew.Store) -> None:
    async with ClewSaver(store, owner="ada", serde=JsonPlusSerializer(allowed_msgpack_modules=None)) as saver:
        await put(saver, "thread", Order(number=1, when=datetime(2026, 1, 1, tzinfo=UTC)))
        strict = (await get(saver, "thread"))["value"]
        assert not isinstance(strict, Order)
        allowed = saver.with_allowlist([(Order.__module__, "Order")])
        assert isinstance(allowed, ClewSaver)
        async with allowed:
            assert isinstance((await get(allowed, "thread"))["value"], Order)
        assert (await get(saver, "thread"))["value"] == strict


async def test_a_checkpoint_of_a_newer_format_is_refused_with_what_to_do_and_kept(saver: ClewSaver, store: clew.Store) -> None:
    await put(saver, "new")
    thread = clew.Ref("ada", "new")
    old = (await store.checkpoints.get(thread)).checkpoints[0]
    newer = b"\x02" + old.head[1:]
    await store.checkpoints.put(thread, PutCheckpoint("", "2", old.id, newer, old.uses))
    with pytest.raises(clew.UnreadableError, match=r"format 2, newer than 1: upgrade clew"):
        await saver.aget_tuple(config_of("new"))
    assert (await store.checkpoints.get(thread)).checkpoints[0].head == newer
    assert await saver.aget_tuple(config_of("new", id=old.id)) is not None
