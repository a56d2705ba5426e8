"""Where a thread is cut: a plain reading of the rule against the one that is fast, and trims of long threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clew


def items_of(links: Sequence[str]) -> list[clew.NewItem]:
    """Return an item for each word; its letters are its links."""
    return [clew.NewItem(b"", links=list(word)) for word in links]


def splits(items: Sequence[clew.NewItem], cut: int) -> bool:
    """Tell whether a link leads across the cut."""
    before = {link for item in items[:cut] for link in item.links}
    return any(link in before for item in items[cut:] for link in item.links)


def plain_cut(items: Sequence[clew.NewItem], keep: int) -> int:
    """The rule, read out: the first safe cut that keeps at most `keep`; where none keeps any, the last safe one before."""
    safe = [cut for cut in range(len(items)) if not splits(items, cut)]
    fitting = [cut for cut in safe if cut >= len(items) - keep]
    return min(fitting) if fitting else max(safe, default=0)


CASES = [
    ("nothing", "", 3, 0),
    ("fewer than asked", ". .", 3, 0),
    ("no links", ". . . . .", 2, 3),
    ("a pair inside", ". a a .", 3, 1),
    ("a pair is not split", ". a a .", 2, 3),
    ("a pair at the end stays whole", ". . a a", 1, 2),
    ("three in a group", ". abc a b c .", 4, 5),
    ("groups that overlap", ". a b a b .", 3, 5),
    ("one group is all there is", "a . . a", 1, 0),
    ("links reach over others", "a . . a . .", 3, 4),
    ("the same link twice in an item", ". aa a .", 2, 3),
]


@pytest.mark.parametrize(("links", "keep", "cut"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_cut_stands_here(links: str, keep: int, cut: int) -> None:
    items = items_of([word.strip(".") for word in links.split()])
    assert clew.safe_cut(items, keep) == cut == plain_cut(items, keep)


@given(st.lists(st.text("abcd", max_size=3), max_size=14), st.integers(1, 16))
def test_no_cut_ever_splits_a_link(links: list[str], keep: int) -> None:
    items = items_of(links)
    cut = clew.safe_cut(items, keep)
    assert cut == plain_cut(items, keep)
    assert not splits(items, cut)


@pytest.mark.parametrize("keep", [0, -1, True, 1.0, None, "3", 1 << 60])
async def test_a_bad_number_to_keep_is_refused(plain: clew.Store, keep: Any) -> None:
    thread = await plain.threads.create("ada")
    await plain.items.append(thread, clew.NewItem(b"x"))
    with pytest.raises(clew.InvalidError, match="keep"):
        await plain.items.trim(thread, keep)
    with pytest.raises(clew.InvalidError, match="keep"):
        clew.safe_cut([], keep)
    assert len(await plain.items.tail(thread)) == 1


async def test_a_long_thread_is_trimmed_over_many_pages(store: clew.Store, thread: clew.Thread) -> None:
    for start in range(0, 2_500, 500):
        await store.items.append(thread, [clew.NewItem(b"%d" % n) for n in range(start, start + 500)])
    # A call far back, whose result is among those asked for: the cut moves on past the result.
    await store.items.append(thread, [clew.NewItem(b"call", links=["c"]), *[clew.NewItem(b"x")] * 1_200])
    await store.items.append(thread, [clew.NewItem(b"result", links=["c"]), clew.NewItem(b"end")])

    assert await store.items.trim(thread, 100) == 2_500 + 1 + 1_200 + 1
    assert [item.data for item in await store.items.tail(thread)] == [b"end"]


async def test_a_trim_to_more_than_there_is_removes_nothing(store: clew.Store, thread: clew.Thread) -> None:
    assert await store.items.trim(thread, 5) == 0
    await store.items.append(thread, [clew.NewItem(b"1"), clew.NewItem(b"2")])
    assert await store.items.trim(thread, 2) == 0
    assert await store.items.trim(thread, 10**9) == 0
    assert len(await store.items.tail(thread)) == 2


async def test_removed_items_do_not_count(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"", id=id) for id in "abcdef"])
    await store.items.remove(thread, "e")

    assert await store.items.trim(thread, 3) == 2
    assert [item.id for item in await store.items.tail(thread)] == ["c", "d", "f"]


async def test_a_trimmed_thread_goes_on_at_the_next_position(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [clew.NewItem(b"")] * 5)
    await store.items.trim(thread, 1)
    assert (await store.items.append(thread, clew.NewItem(b""))).positions == (6,)
    assert await store.items.truncate(thread, 0) == 2
    assert (await store.items.append(thread, clew.NewItem(b""))).positions == (7,)
