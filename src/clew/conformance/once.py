"""Tokens: a call that is repeated with its token writes nothing, and returns what the first one did."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ConflictError, InvalidError, NotFoundError, ReusedTokenError
from ..limits import MAX_DIGEST_BYTES, ONCE_REMEMBERED
from ..records import PRESENT, Change, Partition, PutDocument, Replace, Truncate
from ..records import Once as Token
from .support import LOG, Fresh, Suite, add, entry, read_ids


class Once(Suite):
    """`commit` with `once`."""

    async def test_a_repeated_call_returns_the_first_result(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        first = await backend.commit(partition, [*add("b", "a"), PutDocument("x", b"1")], once="token")
        assert (first.revision, first.outcomes, first.replayed) == (2, (2, -1, 0), False)
        await backend.commit(partition, add("c"))
        others: list[list[Change]] = [
            [*add("b", "a"), PutDocument("x", b"1")],
            [*add("other")],
            [PutDocument("x", b"2")],
            [Truncate(LOG, 0)],
            [],
        ]
        for changes in others:
            again = await backend.commit(partition, changes, once="token")
            assert (again.revision, again.committed_ms, again.outcomes) == (2, first.committed_ms, (2, -1, 0))
            assert again.replayed is True
        assert await backend.revision(partition) == 3
        assert await read_ids(backend, partition) == ["a", "b", "c"]
        assert (await backend.fetch(partition)).documents == {"x": b"1"}

    async def test_another_use_of_a_token_is_told_where_both_have_a_digest(self, backend: Backend, partition: Partition) -> None:
        first = await backend.commit(partition, [*add("a"), PutDocument("x", b"1")], once=Token("token", b"\x00 #1\xff"))
        again = await backend.commit(partition, [*add("a"), PutDocument("x", b"1")], once=Token("token", b"\x00 #1\xff"))
        assert (again.outcomes, again.committed_ms, again.replayed) == ((1, 0), first.committed_ms, True)
        with pytest.raises(ReusedTokenError):
            await backend.commit(partition, add("b"), once=Token("token", b"\x00 #2\xff"))
        with pytest.raises(ReusedTokenError):
            await backend.commit(partition, add("b"), expect=0, once=Token("token", b"\x00 #1"))
        assert (await backend.commit(partition, add("b"), once="token")).replayed
        assert not (await backend.commit(partition, [], once=Token("longest", b"x" * MAX_DIGEST_BYTES))).replayed
        await backend.commit(partition, [], once="plain")
        assert (await backend.commit(partition, add("b"), once=Token("plain", b"1"))).outcomes == ()
        assert (await backend.revision(partition), await read_ids(backend, partition)) == (3, ["a"])
        for wrong in (Token("", b"1"), Token("token", b""), Token("token", b"x" * (MAX_DIGEST_BYTES + 1))):
            with pytest.raises(InvalidError):
                await backend.commit(partition, add("b"), once=wrong)

    async def test_a_first_result_without_outcomes_is_returned(self, backend: Backend, partition: Partition) -> None:
        first = await backend.commit(partition, [], once="token")
        again = await backend.commit(partition, add("a"), once="token")
        assert (again.revision, again.committed_ms, again.outcomes, again.replayed) == (1, first.committed_ms, (), True)

    async def test_a_known_token_comes_before_the_expected_revision(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, add("a"), expect=0, once="token")).revision == 1
        assert (await backend.commit(partition, add("a"), expect=0, once="token")).replayed
        await backend.commit(partition, add("b"))
        assert (await backend.commit(partition, add("a"), expect=0, once="token")).revision == 1
        assert (await backend.commit(partition, add("a"), expect=PRESENT, once="token")).replayed

    async def test_a_refused_commit_does_not_use_its_token_up(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(NotFoundError):
            await backend.commit(partition, add("a"), expect=PRESENT, once="token")
        await backend.commit(partition, add("a"))
        with pytest.raises(ConflictError):
            await backend.commit(partition, add("b"), expect=0, once="token")
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [Replace(LOG, entry("z"))], once="token")
        done = await backend.commit(partition, add("c"), once="token")
        assert (done.revision, done.outcomes, done.replayed) == (2, (2,), False)

    async def test_a_token_counts_in_its_own_partition_only(self, backend: Backend, fresh: Fresh) -> None:
        for partition in (fresh("a"), fresh("b"), fresh("a", owner="other")):
            assert not (await backend.commit(partition, add("a"), once="token")).replayed

    async def test_tokens_of_all_shapes_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        tokens = ["1", "01", "#1", "=1", "=#1", " ", "a b", "a\nb", "a\0b", "ž", "Ž", "😀", "%31", "x" * 511, "x" * 512]
        revisions = [(await backend.commit(partition, add(f"t{n}"), once=token)).revision for n, token in enumerate(tokens)]
        assert revisions == list(range(1, len(tokens) + 1))
        again = [await backend.commit(partition, add("new"), once=token) for token in tokens]
        assert [done.revision for done in again] == revisions
        assert all(done.replayed for done in again)

    async def test_the_same_token_at_once_applies_once(self, backend: Backend, partition: Partition) -> None:
        calls = (backend.commit(partition, [*add(f"a{n}"), PutDocument("x", b"1")], once="token") for n in range(20))
        done = await asyncio.gather(*calls)
        assert sorted(each.replayed for each in done) == [False] + [True] * 19
        assert {(each.revision, each.committed_ms, each.outcomes) for each in done} == {(1, done[0].committed_ms, (1, 0))}
        assert len(await read_ids(backend, partition)) == 1

    async def test_the_newest_thousand_tokens_are_remembered(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [], once="oldest")
        for first in range(0, ONCE_REMEMBERED - 1, 111):
            await asyncio.gather(*(backend.commit(partition, [], once=f"t{n}") for n in range(first, first + 111)))
        assert (await backend.commit(partition, [], once="oldest")).replayed
        assert await backend.revision(partition) == ONCE_REMEMBERED
        await backend.commit(partition, [], once="newest")
        assert not (await backend.commit(partition, [], once="oldest")).replayed
        assert (await backend.commit(partition, [], once="newest")).replayed
        assert (await backend.commit(partition, [], once=f"t{ONCE_REMEMBERED - 2}")).replayed

    @pytest.mark.parametrize("token", ["", "x" * 513, "\ud800"])
    async def test_a_bad_token_is_refused(self, backend: Backend, partition: Partition, token: str) -> None:
        with pytest.raises(InvalidError):
            await backend.commit(partition, add("a"), once=token)
        assert await backend.revision(partition) == 0
