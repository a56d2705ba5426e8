"""A value is a JSON document under a literal key, for other programs to read and write too."""

from __future__ import annotations

import clew


async def test_a_value_is_put_and_got(store: clew.Store) -> None:
    values = store.values(prefix="bot:draft:")

    await values.put("ada", {"text": "Dear all,"})

    value = await values.get("ada")
    assert value == clew.Value("ada", {"text": "Dear all,"}, ttl_ms=None)
    assert await values.get("bob") is None


async def test_the_key_is_literal_and_the_prefix_is_part_of_it(store: clew.Store) -> None:
    await store.values(prefix="bot:draft:").put("ada", 1)

    value = await store.values().get("bot:draft:ada")

    assert value is not None
    assert value.value == 1


async def test_a_value_may_have_a_time_to_live_in_seconds(store: clew.Store) -> None:
    values = store.values(prefix="bot:draft:")

    await values.put("ada", "soon gone", ttl=60)

    value = await values.get("ada")
    assert value is not None
    assert value.ttl_ms is not None
    assert 0 < value.ttl_ms <= 60_000


async def test_a_value_can_be_created_only_where_there_is_none(store: clew.Store) -> None:
    values = store.values(prefix="bot:draft:")

    assert await values.create("ada", 1)
    assert not await values.create("ada", 2)


async def test_keys_are_listed_by_a_pattern(store: clew.Store) -> None:
    values = store.values(prefix="bot:draft:")
    for key in ("ada:1", "ada:2", "bob:1"):
        await values.put(key, key)

    found: list[str] = []
    page = await values.list("ada:*", limit=2)
    found += page
    while page.has_more:
        page = await values.list("ada:*", limit=2, cursor=page.cursor)
        found += page

    assert sorted(set(found)) == ["ada:1", "ada:2"]


async def test_a_deletion_tells_whether_there_was_a_value(store: clew.Store) -> None:
    values = store.values(prefix="bot:draft:")
    await values.put("ada", 1)

    assert await values.delete("ada")
    assert not await values.delete("ada")
