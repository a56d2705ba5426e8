"""Many callers at once: one of them wins, nobody's write is lost, and no reader sees half a commit."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ClewError, ConflictError
from ..records import PRESENT, Append, Commit, Page, Partition, PutDocument, Remove, Replace
from .support import LOG, Fresh, Suite, add, entry, ids, numbered, positions

MANY = 20


class Concurrency(Suite):
    """Races on one backend."""

    async def test_twenty_first_calls_at_once_all_work(self, backend: Backend, fresh: Fresh) -> None:
        partitions = [fresh() for _ in range(MANY)]
        done = await asyncio.gather(*(backend.commit(partition, add("a")) for partition in partitions))
        assert [(each.revision, each.outcomes) for each in done] == [(1, (1,))] * MANY
        pages = await asyncio.gather(*(backend.read(partition, LOG) for partition in partitions))
        assert [ids(page) for page in pages] == [["a"]] * MANY

    async def test_one_of_many_with_the_same_expect_wins(self, backend: Backend, partition: Partition) -> None:
        for expect in (0, 1, 2):
            calls = (backend.commit(partition, add(f"{expect}-{n}"), expect=expect) for n in range(MANY))
            _one_wins(await asyncio.gather(*calls, return_exceptions=True))
            assert await backend.revision(partition) == expect + 1
            assert len((await backend.read(partition, LOG)).entries) == expect + 1

    async def test_one_of_many_with_the_same_condition_wins(self, backend: Backend, partition: Partition) -> None:
        for before, after in ((None, "1"), (b"1", "2")):
            calls = (
                backend.commit(partition, [PutDocument("a", after.encode(), before), *add(f"{after}-{n}")]) for n in range(MANY)
            )
            _one_wins(await asyncio.gather(*calls, return_exceptions=True))
        assert len((await backend.read(partition, LOG)).entries) == 2

    async def test_one_of_many_that_replace_what_they_read_wins(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [Append(LOG, entry("a", b"0"))])
        read = (await backend.read(partition, LOG)).entries[0]
        calls = (backend.commit(partition, [Replace(LOG, entry("a", b"x%d" % n), read)]) for n in range(MANY))
        _one_wins(await asyncio.gather(*calls, return_exceptions=True))

    async def test_one_of_many_with_the_same_id_is_kept(self, backend: Backend, partition: Partition) -> None:
        done = await asyncio.gather(*(backend.commit(partition, add("a", data=b"%d" % n)) for n in range(MANY)))
        assert sorted(each.outcomes for each in done) == [(-1,)] * (MANY - 1) + [(1,)]
        assert sorted(each.revision for each in done) == list(range(1, MANY + 1))
        winner = next(n for n, each in enumerate(done) if each.outcomes == (1,))
        page = await backend.read(partition, LOG)
        assert [each.data for each in page.entries] == [b"%d" % winner]

    async def test_many_appenders_lose_and_double_nothing(self, backend: Backend, partition: Partition) -> None:
        async def append(writer: int) -> dict[str, int]:
            at: dict[str, int] = {}
            for turn in range(5):
                names = [f"{writer}-{turn}-{n}" for n in range(3)]
                done = await backend.commit(partition, add(*names), listed=turn % 2 == 0)
                at |= dict(zip(names, done.outcomes, strict=True))
                assert sorted(done.outcomes) == list(range(min(done.outcomes), min(done.outcomes) + 3))
            return at

        told: dict[str, int] = {}
        for at in await asyncio.gather(*(append(writer) for writer in range(MANY))):
            told |= at
        page = await backend.read(partition, LOG, limit=1000)
        assert positions(page) == list(range(1, MANY * 15 + 1))
        assert {each.id: each.position for each in page.entries} == told
        assert await backend.revision(partition) == MANY * 5

    async def test_calls_of_all_kinds_at_once_each_get_their_own_answer(self, backend: Backend, fresh: Fresh) -> None:
        async def live(number: int) -> None:
            partition = fresh(f"thread-{number}")
            for turn in range(4):
                done = await backend.commit(partition, [*add(f"{number}-{turn}"), PutDocument("n", str(number).encode())])
                assert (done.revision, done.outcomes[0]) == (turn + 1, turn + 1)
                with pytest.raises(ConflictError) as caught:
                    await backend.commit(partition, add("never"), expect=99)
                assert caught.value.actual == turn + 1
                snapshot = await backend.fetch(partition)
                assert snapshot.documents == {"n": str(number).encode()}
                page = await backend.read(partition, LOG)
                assert ids(page) == [f"{number}-{n}" for n in range(turn + 1)]

        await asyncio.gather(*(live(number) for number in range(MANY)))

    async def test_one_failed_commit_among_many_fails_alone(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a"))
        good = [backend.commit(partition, add(f"g{n}"), expect=PRESENT) for n in range(MANY)]
        bad = [backend.commit(partition, [*add(f"b{n}"), Replace(LOG, entry("unknown"))]) for n in range(MANY)]
        calls = [call for pair in zip(good, bad, strict=True) for call in pair]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, Commit) for each in done[::2])
        assert all(isinstance(each, ClewError) for each in done[1::2])
        page = await backend.read(partition, LOG)
        assert sorted(ids(page)) == sorted(["a", *(f"g{n}" for n in range(MANY))])

    async def test_a_reader_sees_whole_commits_only(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [])
        writing = True

        async def look() -> int:
            looks = 0
            while writing or not looks:
                page = await backend.read(partition, LOG, limit=1000, newest_first=bool(looks % 2))
                count = len(page.entries)
                assert count % 3 == 0, "a page held a part of a commit"
                snapshot = await backend.fetch(partition)
                assert len(set(snapshot.documents.values())) <= 1, "a snapshot held a part of a commit"
                assert snapshot.revision == 1 or snapshot.documents["a"] == str(snapshot.revision - 1).encode()
                looks += 1
            return looks

        readers = [asyncio.create_task(look()) for _ in range(3)]
        for turn in range(1, 41):
            documents = [PutDocument(key, str(turn).encode()) for key in "abc"]
            await backend.commit(partition, [*numbered(3, turn * 3), *documents])
        writing = False
        assert min(await asyncio.gather(*readers)) > 0

    async def test_a_page_stays_true_while_entries_come_and_go(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(100))
        pages = [backend.read(partition, LOG, after=40, limit=10) for _ in range(MANY)]
        removals = [backend.commit(partition, [Remove(LOG, f"i{n}")]) for n in range(41, 41 + MANY)]
        calls = [call for pair in zip(pages, removals, strict=True) for call in pair]
        for page in (await asyncio.gather(*calls))[::2]:
            assert isinstance(page, Page)
            assert [each.id for each in page.entries] == [f"i{each.position}" for each in page.entries]
            assert len(page.entries) == 10


def _one_wins(answers: list[Commit | BaseException]) -> None:
    losers = [each for each in answers if not isinstance(each, Commit)]
    assert len(losers) == len(answers) - 1, f"{len(answers) - len(losers)} of {len(answers)} won"
    assert all(isinstance(each, ConflictError) for each in losers), losers
