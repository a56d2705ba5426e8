"""Encryption around a journal: what waits on this machine's disk is encrypted too, and is read after it was replayed."""

from __future__ import annotations

from pathlib import Path

import clew
from clew import NewItem, Ref
from clew.wrappers.journal import Options, open_journal

from ..journal.faulty import Faulty
from .support import around, key

SECRET = "a secret that would be found"


async def test_what_waits_in_a_journal_is_encrypted_and_replayed(tmp_path: Path) -> None:
    server = Faulty()
    await server.open()
    journal = await open_journal(server, "memory://", Options(tmp_path / "journal", 1 << 24))
    async with clew.Store(around(journal, key("new"), takes_plain=False)) as store:
        server.is_away = True
        threads = [Ref("ada", "one"), Ref("ada", "two")]
        for thread in threads:
            done = await store.items.append(thread, NewItem.json(SECRET), create=True, title=SECRET, once="token")
            assert done.pending
            assert (await store.items.append(thread, NewItem.json(2), create=True)).pending
        files = [path.read_bytes() for path in (tmp_path / "journal").iterdir() if path.is_file()]
        assert sum(map(len, files)) > 1000
        assert not [each for each in files if SECRET.encode() in each]
        server.is_away = False
        await journal.drained()
        for thread in threads:
            assert (await store.threads.get(thread)).title == SECRET
            assert [item.json() for item in await store.items.page(thread)] == [SECRET, 2]
    await server.end()
