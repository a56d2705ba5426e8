"""Appending: threads made on the way, races of their makers, tokens, and everything that is refused before it is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import clew
from clew.records import Append, Partition
from clew.testing import Recorder

NEW = clew.Ref("ada", "new")


async def test_many_who_make_one_thread_end_with_one_header_and_all_items(store: clew.Store) -> None:
    made = await asyncio.gather(
        *(store.items.append(NEW, clew.NewItem(b"%d" % n), create=True, title=f"title {n}") for n in range(20))
    )

    items = await store.items.tail(NEW)
    assert sorted(item.id for item in items) == sorted(appended.ids[0] for appended in made)
    assert sorted(appended.revision for appended in made) == list(range(1, 21))
    first = next(n for n, appended in enumerate(made) if appended.revision == 1)
    assert (await store.threads.get(NEW)).title == f"title {first}"
    assert len(await store.threads.list("ada")) == 1


async def test_title_and_metadata_are_for_the_one_who_makes_the_thread(store: clew.Store) -> None:
    await store.items.append(NEW, clew.NewItem(b"1"), create=True, title="first", metadata={"a": 1, "b": None})
    await store.items.append(NEW, clew.NewItem(b"2"), create=True, title="second", metadata={"a": 2})

    thread = await store.threads.get(NEW)
    assert (thread.title, thread.metadata) == ("first", {"a": 1})


async def test_expecting_nothing_there_makes_the_thread_or_writes_nothing(store: clew.Store) -> None:
    await store.items.append(NEW, clew.NewItem(b"1"), create=True, expect=0)

    with pytest.raises(clew.ConflictError) as caught:
        await store.items.append(NEW, clew.NewItem(b"2"), create=True, expect=0)

    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert len(await store.items.tail(NEW)) == 1


async def test_a_revision_expected_of_no_thread_is_not_found(store: clew.Store) -> None:
    for create in (False, True):
        with pytest.raises(clew.NotFoundError):
            await store.items.append(NEW, clew.NewItem(b"1"), create=create, expect=3)
    assert len(await store.threads.list("ada")) == 0


async def test_a_token_replays_the_call_that_made_the_thread(store: clew.Store) -> None:
    items = [clew.NewItem(b"1"), clew.NewItem(b"2", id="two")]
    first = await store.items.append(NEW, items, create=True, once="t", trim_before=1, title="x")
    again = await store.items.append(NEW, items, create=True, once="t", trim_before=1, title="x")

    assert again.replayed
    assert (again.ids, again.positions, again.revision) == (first.ids, (1, 2), 1)
    assert [item.id for item in await store.items.tail(NEW)] == list(first.ids)


async def test_ids_made_from_a_token_differ_by_token_and_thread(store: clew.Store, thread: clew.Thread) -> None:
    other = await store.threads.create("ada")
    ids = set()
    for place, token in ((thread, "a"), (thread, "b"), (other, "a")):
        ids |= set((await store.items.append(place, [clew.NewItem(b"1"), clew.NewItem(b"2")], once=token)).ids)
    assert len(ids) == 6


async def test_a_token_of_another_call_is_refused(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"1"), once="t")
    with pytest.raises(clew.InvalidError, match="token"):
        await store.items.append(thread, [clew.NewItem(b"1"), clew.NewItem(b"2")], once="t")


async def test_appending_nothing_writes_nothing_and_still_tells_the_truth(store: clew.Store, thread: clew.Thread) -> None:
    assert await store.items.append(thread, []) == clew.Appended((), (), frozenset(), 1)
    assert (await store.threads.get(thread)).revision == 1
    with pytest.raises(clew.ConflictError):
        await store.items.append(thread, [], expect=7)
    with pytest.raises(clew.NotFoundError):
        await store.items.append(NEW, [])


async def test_appending_nothing_can_make_a_thread(store: clew.Store) -> None:
    await store.items.append(NEW, [], create=True)
    assert await store.items.tail(NEW) == []


async def test_what_is_appended_is_never_cut_off_by_its_own_trim(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"1"), clew.NewItem(b"2")])

    appended = await store.items.append(thread, clew.NewItem(b"3"), trim_before=1_000)

    assert [item.position for item in await store.items.tail(thread)] == list(appended.positions) == [3]


async def test_a_hundred_writers_are_all_kept_in_an_order_that_each_of_them_sees(store: clew.Store, thread: clew.Thread) -> None:
    appended = await asyncio.gather(*(store.items.append(thread, clew.NewItem(b"%d" % n)) for n in range(100)))

    items = await store.items.tail(thread)
    places = {one.ids[0]: one.positions[0] for one in appended}
    assert [item.position for item in items] == list(range(1, 101))
    assert {item.id: item.position for item in items} == places


async def test_another_owners_thread_cannot_be_written(store: clew.Store, thread: clew.Thread) -> None:
    with pytest.raises(clew.NotFoundError):
        await store.items.append(clew.Ref("bob", thread.id), clew.NewItem(b"x"))
    assert await store.items.tail(thread) == []


# -- what is refused before it is sent -----------------------------------------------------------------------------------

BAD_ITEMS: list[tuple[Any, str]] = [
    ("text", "clew.NewItem"),
    (b"bytes", "clew.NewItem"),
    ([b"bytes"], r"items\[0\]"),
    ({"role": "user"}, "clew.NewItem"),
    (None, "clew.NewItem"),
    (clew.NewItem("text"), "bytes"),  # type: ignore[arg-type]
    (clew.NewItem(bytes(8 * 1024 * 1024 + 1)), "at most"),
    (clew.NewItem(b"", id=""), "empty"),
    (clew.NewItem(b"", id="x" * 513), "at most"),
    (clew.NewItem(b"", id="ø" * 257), "at most"),
    (clew.NewItem(b"", id="\ud800"), "surrogate"),
    (clew.NewItem(b"", id=7), "string"),  # type: ignore[arg-type]
    (clew.NewItem(b"", kind=""), "kind"),
    (clew.NewItem(b"", codec=None), "codec"),  # type: ignore[arg-type]
    (clew.NewItem(b"", author=b"me"), "author"),  # type: ignore[arg-type]
    (clew.NewItem(b"", parent=3), "parent"),  # type: ignore[arg-type]
    (clew.NewItem(b"", status=""), "status"),
    (clew.NewItem(b"", links="call-1"), "links"),
    (clew.NewItem(b"", links=[""]), "link"),
    (clew.NewItem(b"", links=["x"] * 1_001), "links"),
    (clew.NewItem(b"", links=None), "links"),  # type: ignore[arg-type]
    (clew.NewItem(b"", created_ms=-1), "created_ms"),
    (clew.NewItem(b"", created_ms=10**15), "created_ms"),
    (clew.NewItem(b"", created_ms=1.5), "created_ms"),  # type: ignore[arg-type]
    ([clew.NewItem(b"1", id="same"), clew.NewItem(b"2", id="same")], "twice"),
    ([clew.NewItem(b"")] * 5_001, "split"),
    ([clew.NewItem(bytes(7 * 1024 * 1024))] * 10, "split"),
]


@pytest.mark.parametrize(("items", "said"), BAD_ITEMS, ids=range(len(BAD_ITEMS)))
async def test_a_bad_item_is_refused_with_a_sentence(plain: clew.Store, items: Any, said: str) -> None:
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError, match=said):
        await plain.items.append(thread, items)
    assert (await plain.threads.get(thread)).revision == 1


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"once": ""}, "token"),
    ({"once": 7}, "token"),
    ({"once": "x" * 513}, "token"),
    ({"expect": -1}, "revision"),
    ({"expect": True}, "revision"),
    ({"expect": "1"}, "revision"),
    ({"expect": 0}, "create=True"),
    ({"title": "t"}, "create=True"),
    ({"ttl": 60}, "create=True"),
    ({"metadata": {}}, "create=True"),
    ({"trim_before": 0}, "trim_before"),
    ({"trim_before": "item"}, "trim_before"),
    ({"trim_before": 1 << 60}, "trim_before"),
    ({"create": True, "title": ""}, "title"),
    ({"create": True, "metadata": {"a": float("nan")}}, "nan"),
]


@pytest.mark.parametrize(("options", "said"), BAD_OPTIONS, ids=str)
async def test_a_bad_option_is_refused_with_a_sentence(plain: clew.Store, options: dict[str, Any], said: str) -> None:
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError, match=said):
        await plain.items.append(thread, clew.NewItem(b"x"), **options)
    assert await plain.items.tail(thread) == []


@pytest.mark.parametrize("thread", ["thr_1", None, 7, ("ada", "t")], ids=str)
async def test_an_id_alone_names_no_thread(recorded: clew.Store, recorder: Recorder, thread: Any) -> None:
    with pytest.raises(clew.InvalidError, match="Ref"):
        await recorded.items.append(thread, clew.NewItem(b"x"))
    assert recorder.calls == []


async def test_an_error_holds_no_payload(plain: clew.Store) -> None:
    secret = "my secret words"
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError) as caught:
        await plain.items.append(thread, clew.NewItem(secret))  # type: ignore[arg-type]
    assert secret not in str(caught.value)


async def test_an_item_is_stored_with_its_writers_time(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, clew.NewItem(b"", created_ms=1_000))
    (item,) = await store.items.tail(thread)
    assert item.created_ms == 1_000


async def test_a_write_to_a_partition_that_is_no_thread_is_not_listed_as_one(store: clew.Store) -> None:
    await store.backend.commit(Partition("ada", "odd"), [Append("other", _entry())], listed=True)
    assert list(await store.threads.list("ada")) == []
    with pytest.raises(clew.NotFoundError):
        await store.threads.get(clew.Ref("ada", "odd"))


def _entry() -> clew.Item:
    from clew.codec import make_entry

    return make_entry("a", b"x")
