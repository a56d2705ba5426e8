"""Random sequences of calls do the same on every engine as on a plain model in memory, and read the same afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

import clew
from clew.records import Commit, Once, Page
from clew.testing import Recorder

from . import sequences
from .sequences import Step

EXAMPLES = 40


@pytest.fixture(params=["memory", "sqlite", "redis-8.2", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


def test_random_sequences_on_threads_agree_with_the_reference(url: str) -> None:
    sequences.check(url, sequences.sequences, examples=EXAMPLES)


def test_random_sequences_on_values_and_routes_agree_with_the_reference(url: str) -> None:
    sequences.check(url, sequences.literal_sequences, examples=EXAMPLES)


ADA = clew.Ref("ada", "t")


def _append(*ids: str, once: str | None = None, create: bool = False) -> Step:
    items = [clew.NewItem(b"", id, created_ms=0) for id in ids]
    return Step("items.append", {"thread": ADA, "items": items, "once": once, "create": create})


def _remove(id: str) -> Step:
    return Step("items.remove", {"thread": ADA, "id": id})


CORNERS: dict[str, list[Step]] = {
    "a token comes back with more items": [
        _append("a", once="token", create=True),
        _append("a", "b", once="token"),
        _append("a", "b", once="token", create=True),
    ],
    "an id is removed, given again, and cut off": [
        _append("p", "x", create=True),
        _remove("x"),
        _append("q", "x"),
        Step("items.truncate", {"thread": ADA, "after": 3}),
        Step("items.page", {"thread": ADA, "after": "x"}),
    ],
    "an id is removed twice, and the second place cut off": [
        _append("p", "x", create=True),
        _remove("x"),
        _append("q", "x"),
        _remove("x"),
        Step("items.page", {"thread": ADA, "after": "x"}),
        Step("items.truncate", {"thread": ADA, "after": 3}),
        Step("items.page", {"thread": ADA, "after": "x"}),
    ],
    "an id is removed twice, and the first place cut off": [
        _append("p", "x", create=True),
        _remove("x"),
        _append("q", "x"),
        _remove("x"),
        Step("items.append", {"thread": ADA, "items": [], "trim_before": 3}),
        Step("items.page", {"thread": ADA, "before": "x"}),
    ],
}


@pytest.mark.parametrize("name", CORNERS)
def test_a_rare_sequence_agrees_with_the_reference(name: str, url: str) -> None:
    sequences.check(url, st.just(CORNERS[name]), examples=1)


class DuplicatesAreNew(Recorder):
    """An item that was there already is told as new."""

    async def commit(self, *arguments: Any, **named: Any) -> Commit:
        done = await super().commit(*arguments, **named)
        return Commit(done.revision, done.committed_ms, tuple(map(abs, done.outcomes)), done.replayed)


class ExpectIsIgnored(Recorder):
    """A revision that is expected is not looked at."""

    async def commit(self, *arguments: Any, expect: int | None = None, **named: Any) -> Commit:
        return await super().commit(*arguments, expect=-1 if expect else expect, **named)


class TokensAreForgotten(Recorder):
    """A call that is repeated with its token writes again."""

    async def commit(self, *arguments: Any, once: str | Once | None = None, **named: Any) -> Commit:
        return await super().commit(*arguments, **named)


class PagesAreInclusive(Recorder):
    """A page holds what stands at its cursor."""

    async def read(self, *arguments: Any, **named: Any) -> Page:
        return await super().read(*arguments, **{**named, "inclusive": True})


class NoTombstones(Recorder):
    """A late write brings back what was deleted."""

    async def drop(self, *arguments: Any, **named: Any) -> bool:
        return await super().drop(*arguments, tombstone_ms=0)


FAULTS = (DuplicatesAreNew, ExpectIsIgnored, TokensAreForgotten, PagesAreInclusive, NoTombstones)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sequences_reject(fault: type[Recorder]) -> None:
    with pytest.raises(sequences.Disagreement):
        sequences.check("memory://", sequences.sequences, examples=EXAMPLES, around=fault)


def test_the_sequences_accept_a_wrapper_without_a_fault() -> None:
    sequences.check("memory://", sequences.sequences, examples=EXAMPLES, around=Recorder)
