"""The store as py-key-value wants it, on both engines: what its own stores are held to, and what only clew promises."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from fastmcp.server.event_store import EventStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from key_value.aio import errors
from key_value.aio.adapters.pydantic import PydanticAdapter
from key_value.aio.protocols import key_value as protocols
from key_value.aio.wrappers.encryption.fernet import FernetEncryptionWrapper
from key_value.aio.wrappers.prefix_collections import PrefixCollectionsWrapper
from mcp.server.streamable_http import EventMessage
from mcp.types import JSONRPCNotification
from pydantic import BaseModel

import clew
import servers
from clew.adapters.key_value import BadKeyError, BadTTLError, BadValueError, CorruptError, KeyValueStore, StoreAwayError

from ...support import find_program, wait_until, with_options

VALUES: list[dict[str, Any]] = [
    {},
    {"null": None, "list": [None, [], {}]},
    {"yes": True, "no": False, "1": "1", "true": "true"},
    {"int": -42, "large": 10**18, "float": 1.23456789012345e10, "small": 1e-300},
    {"text": "a" * 20_000, "unicode": "Grüße, 世界 🌍", "lines": "one\ntwo\tthree\0"},
    {"": "", "deep": {"a": {"b": {"c": [{"d": ["e"]}]}}}},
    {"many": list(range(1000))},
]
NO_JSON: list[Any] = [
    {"when": datetime.now(UTC)},
    {"uuid": uuid4()},
    {"bytes": b"hello"},
    {"set": {1, 2}},
    {"nan": math.nan},
    {1: "a key that is no string"},
    {"lone": "\ud800"},
    ["no object"],
    "no object",
    None,
]


@pytest.fixture(params=["sqlite", "redis-8.2"])
async def opened(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[clew.Store]:
    """A store, on both engines in turn."""
    url = f"sqlite:///{tmp_path}/clew.db"
    if request.param != "sqlite":
        url_of: Callable[[str], str] = request.getfixturevalue("url_of")
        url = url_of(request.param)
    async with clew.connect(url) as store:
        yield store


@pytest.fixture
async def values(opened: clew.Store) -> AsyncIterator[KeyValueStore]:
    """An owner's entries, which nobody else has; gone afterwards."""
    store = KeyValueStore(opened, owner=f"owner:{uuid4()}")
    yield store
    await store.destroy()


def test_it_has_every_protocol(values: KeyValueStore) -> None:
    names = [name for name in vars(protocols) if name.startswith("Async") and name.endswith("Protocol")]
    assert len(names) >= 6
    for name in names:
        assert isinstance(values, getattr(protocols, name)), name


async def test_what_is_put_comes_back_whatever_json_it_is(values: KeyValueStore) -> None:
    for number, value in enumerate(VALUES):
        await values.put(f"k{number}", value)
        assert await values.get(f"k{number}") == value
    assert await values.get_many([f"k{number}" for number in range(len(VALUES))]) == VALUES
    assert await values.ttl("k0") == ({}, None)


async def test_what_is_no_json_object_is_refused_and_nothing_is_written(values: KeyValueStore) -> None:
    for value in NO_JSON:
        with pytest.raises(errors.SerializationError):
            await values.put("k", value)
        with pytest.raises(clew.InvalidError):
            await values.put_many(["a", "k"], [{}, value])
    with pytest.raises(BadValueError, match="8,388,608"):
        await values.put("k", {"large": "x" * clew.limits.MAX_DATA_BYTES})
    assert await values.keys() == []


async def test_what_is_missing_is_told_apart(values: KeyValueStore) -> None:
    assert (await values.get("k"), await values.ttl("k"), await values.delete("k")) == (None, (None, None), False)
    await values.put("k", {"a": 1})
    assert await values.get_many(["k", "other", "k"]) == [{"a": 1}, None, {"a": 1}]
    assert await values.ttl_many(["other", "k"]) == [(None, None), ({"a": 1}, None)]
    assert (await values.delete("k"), await values.delete("k")) == (True, False)
    await values.put_many(("a", "b", "a"), ({"n": 1}, {"n": 2}, {"n": 3}))
    assert await values.get_many(["a", "b"]) == [{"n": 3}, {"n": 2}]
    assert await values.delete_many(["a", "c", "b", "a"]) == 2
    assert (await values.get_many([]), await values.delete_many([]), await values.keys()) == ([], 0, [])
    with pytest.raises(ValueError, match="one value for each key"):
        await values.put_many(["a"], [{}, {}])


async def test_a_time_to_live_is_kept_by_the_store(values: KeyValueStore) -> None:
    await values.put("k", {"a": 1}, ttl=100)
    value, left = await values.ttl("k")
    assert value == {"a": 1}
    assert left is not None
    assert 90 < left <= 100
    await values.put("k", {"a": 2})
    assert await values.ttl("k") == ({"a": 2}, None)
    await values.put_many(["k", "l"], [{}, {}], ttl=0.05)
    await wait_until(lambda: is_gone(values, "k", "l"))
    assert await values.keys() == []


async def is_gone(values: KeyValueStore, *keys: str) -> bool:
    """Tell whether none of these is there."""
    return await values.get_many(keys) == [None] * len(keys)


@pytest.mark.parametrize("ttl", [0, -100, math.nan, math.inf, True, "60", 1e12, 1e-9])
async def test_a_time_that_cannot_be_is_refused(values: KeyValueStore, ttl: Any) -> None:
    with pytest.raises(errors.InvalidTTLError):
        await values.put("k", {}, ttl=ttl)
    with pytest.raises(BadTTLError, match="seconds"):
        await values.put_if_absent("k", {}, ttl=ttl)
    assert await values.get("k") is None


async def test_names_of_every_kind_are_kept_apart(values: KeyValueStore) -> None:
    names = ["a", "a:b", "b", ":", "", "*", "[a-z]", "a\\", "a/b", "%3A", "Grüße 🌍", "x" * 1000, "\0\n"]
    for collection in filter(None, names):
        await values.put_many(names, [{"c": collection, "k": key} for key in names], collection=collection)
    for collection in filter(None, names):
        assert await values.get_many(names, collection=collection) == [{"c": collection, "k": key} for key in names]
        assert sorted(await values.keys(collection)) == sorted(names)
    assert sorted(await values.collections()) == sorted(filter(None, names))
    assert (len(await values.keys("*", limit=3)), len(await values.collections(limit=2))) == (3, 2)
    assert await values.keys("*", limit=0) == []
    assert (await values.destroy_collection("a"), await values.destroy_collection("a")) == (True, False)
    assert "a" not in await values.collections()
    assert len(await values.keys("a:b")) == len(names)


@pytest.mark.parametrize("name", ["\ud800", "x" * 5000, 7])
async def test_a_name_that_cannot_be_is_refused(values: KeyValueStore, name: Any) -> None:
    with pytest.raises(errors.InvalidKeyError):
        await values.get(name)
    with pytest.raises(BadKeyError):
        await values.put("k", {}, collection=name)


async def test_no_collection_and_an_empty_one_are_the_default(opened: clew.Store) -> None:
    owner = f"owner-{uuid4()}"
    values, other = KeyValueStore(opened, owner=owner), KeyValueStore(opened, owner=owner, default_collection="mine")
    await values.put("k", {"a": 1})
    assert await values.get("k", collection="") == await values.get("k", collection="default_collection") == {"a": 1}
    assert await other.get("k") is None
    assert await other.get("k", collection="default_collection") == {"a": 1}
    assert await values.destroy()


async def test_owners_are_apart_and_destroy_only_their_own(opened: clew.Store) -> None:
    owners = ["a", "a:default_collection", "*", "a%3A", "A"]
    stores = [KeyValueStore(opened, owner=owner) for owner in owners]
    for owner, values in zip(owners, stores, strict=True):
        await values.put("k", {"owner": owner})
    for number, values in enumerate(stores):
        assert await values.get("k") == {"owner": owners[number]}
        assert await values.keys() == ["k"]
        assert await values.destroy()
        left = [await each.get("k") for each in stores]
        assert left == [None] * (number + 1) + [{"owner": owner} for owner in owners[number + 1 :]]


async def test_of_many_who_put_what_is_absent_one_does(opened: clew.Store) -> None:
    owner = f"owner-{uuid4()}"
    workers = [KeyValueStore(opened, owner=owner) for _ in range(20)]
    done = await asyncio.gather(*(each.put_if_absent("k", {"n": n}, ttl=60) for n, each in enumerate(workers)))
    assert sum(done) == 1
    assert await workers[0].get("k") == {"n": done.index(True)}
    assert await workers[0].destroy()


async def test_what_another_program_wrote_is_reported_and_kept(opened: clew.Store) -> None:
    values = KeyValueStore(opened, owner="corrupt")
    await values.put("k", {})
    raw = opened.values("clew:kv:corrupt:")
    for data in (b"no json", b"[1]", b"7"):
        await raw.put_data("default_collection:k", data)
        with pytest.raises(errors.DeserializationError):
            await values.get("k")
        with pytest.raises(CorruptError):
            await values.ttl_many(["k"])
        assert await raw.get_data("default_collection:k") == data
    assert await values.destroy()


async def test_more_entries_than_one_step_are_all_found_and_destroyed(values: KeyValueStore) -> None:
    keys = [f"k{number}" for number in range(1203)]
    await values.put_many(keys, [{"n": number} for number in range(len(keys))])
    assert sorted(await values.keys()) == sorted(keys)
    assert await values.delete_many(keys[:2]) == 2
    assert await values.destroy()
    assert await values.keys() == []


async def test_models_of_pydantic_are_kept(values: KeyValueStore) -> None:
    class Token(BaseModel):
        name: str
        until: datetime

    tokens = PydanticAdapter[Token](key_value=values, pydantic_model=Token, default_collection="tokens")
    token = Token(name="ada", until=datetime(2026, 11, 21, tzinfo=UTC))
    await tokens.put("t", token, ttl=60)
    assert await tokens.get("t") == token
    assert await values.collections() == ["tokens"]


async def test_wrappers_stand_on_it_and_what_they_encrypt_is_stored_encrypted(values: KeyValueStore) -> None:
    hidden = FernetEncryptionWrapper(PrefixCollectionsWrapper(values, prefix="oauth"), fernet=Fernet(Fernet.generate_key()))
    await hidden.put("ada", {"token": "a secret"}, collection="tokens", ttl=60)
    assert await hidden.get("ada", collection="tokens") == {"token": "a secret"}
    (collection,) = await values.collections()
    assert collection.startswith("oauth")
    assert "secret" not in str(await values.get("ada", collection=collection))


async def test_fastmcps_own_event_store_stands_on_it(values: KeyValueStore) -> None:
    events = EventStore(storage=values, ttl=60)
    first = await events.store_event("7", None)
    notice = JSONRPCNotification(jsonrpc="2.0", method="n", params={"number": 1})
    last = await events.store_event("7", notice)
    replayed: list[tuple[object, str | None]] = []

    async def hear(event: EventMessage) -> None:
        replayed.append((event.message, event.event_id))

    assert await events.replay_events_after(first, hear) == "7"
    assert replayed == [(notice, last)]


async def test_a_store_that_is_away_is_no_missing_value() -> None:
    with servers.Server(find_program("redis-8.2")) as server:
        async with clew.connect(with_options(server.url, timeout=0.3)) as store:
            values = KeyValueStore(store, owner="away")
            await values.put("k", {"a": 1})
            server.pause()
            for ask in (values.get("k"), values.put("k", {}), values.get_many(["a", "b"]), values.keys(), values.destroy()):
                with pytest.raises(StoreAwayError) as caught:
                    await ask
                assert isinstance(caught.value, clew.UnavailableError)
                assert isinstance(caught.value, errors.StoreConnectionError)
            server.resume()
            await wait_until(lambda: is_back(values))
            assert await values.get("other") is None


async def is_back(values: KeyValueStore) -> bool:
    """Tell whether the store answers."""
    try:
        return await values.get("k") is not None
    except StoreAwayError:
        return False


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=50), collection=st.text(min_size=1, max_size=50), value=st.dictionaries(st.text(), json_values))
def test_any_json_under_any_name_comes_back(name: str, collection: str, value: dict[str, Any]) -> None:
    async def round_trip() -> None:
        async with clew.connect("memory://") as store:
            values = KeyValueStore(store, owner="ada")
            await values.put(name, value, collection=collection)
            assert await values.get(name, collection=collection) == value
            assert (await values.keys(collection), await values.collections()) == ([name], [collection])

    asyncio.run(round_trip())
