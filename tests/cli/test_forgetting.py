"""`clew forget` in this process: what is counted, erased, refused and proven, in the store, the files and the API keys."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.backends.sqlite import SqliteBackend
from clew.cli.app import app
from clew.cli.forgetting import KEYS_OWNER
from clew.cli.running import start
from clew.erasing import Erased
from clew.files import Files, connect_files, volume_key
from clew.files.forgetting import SYSTEM, TEAM, UNSENT
from clew.records import Partition, PutDocument
from clew.service import keys, volumes
from tests.journal.test_command import leave


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SQLite file, which the environment names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("CLEW_URL", made)
    return made


async def fill(url: str, owner: str, files: Files) -> None:
    async with clew.connect(url) as store:
        await store.items.append(clew.Ref(owner, "t"), clew.NewItem(b"1"), create=True)
        await store.values("bot:").put(f"{owner}:1", 1)
        await keys.create_key(store, "a key", owner)
    await files.put(volume_key("user", owner, "notes.md"), b"text")
    await files.put(("attachments", owner, "a1"), b"bytes")
    await files.put((UNSENT, "000000000001", owner, "a1"), b"[]")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = start(app, words)
    said = capsys.readouterr()
    return code, json.loads(said.out or said.err)


def test_an_owner_is_erased_everywhere_and_the_command_proves_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill_both() -> None:
        async with connect_files((tmp_path / "store.files").as_uri()) as files:
            for owner in ("babbage", "grace"):
                await fill(url, owner, files)

    asyncio.run(fill_both())
    code, refused = run(capsys, "forget", "babbage", "--json")
    assert (code, refused["error"]) == (2, "InvalidError")
    code, counted = run(capsys, "forget", "babbage", "--prefix", "bot:babbage:", "--dry-run", "--json")
    assert (code, counted["found"]) == (0, counted["left"])
    assert {"API keys": 1, "files": 3, "partitions": 1, "values": 1}.items() <= counted["found"].items()
    code, done = run(capsys, "forget", "babbage", "--prefix", "bot:babbage:", "--yes", "--json")
    assert (code, done["found"], done["left"]) == (0, counted["found"], {})
    assert run(capsys, "forget", "babbage", "--yes", "--no-scrub", "--json")[1]["found"] == {}
    assert not any(b"babbage" in file.read_bytes() for file in tmp_path.glob("store.db*"))
    assert not list((tmp_path / "store.files").rglob("*babbage*"))
    code, other = run(capsys, "forget", "grace", "--prefix", "bot:grace:", "--dry-run", "--json")
    assert other["found"] == counted["found"]


def test_the_command_knows_the_services_names() -> None:
    assert (keys.OWNER, volumes.TEAM_OWNER, volumes.SYSTEM_OWNER) == (KEYS_OWNER, TEAM, SYSTEM)


def test_what_waits_in_a_journal_goes_too(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = f"{url}?on_outage=journal&journal={tmp_path / 'journal'}"
    asyncio.run(leave(whole))
    code, counted = run(capsys, "forget", "ada", "--url", whole, "--dry-run", "--json")
    assert (code, counted["found"]["writes in journals"]) == (0, 2)
    code, done = run(capsys, "forget", "ada", "--url", whole, "--yes", "--json")
    assert (code, done["found"]["writes in journals"], done["left"]) == (0, 2, {})
    files = [*tmp_path.glob("store.db*"), *(tmp_path / "journal").iterdir()]
    assert len(files) > 1
    assert not [file for file in files for text in (b"left behind", b"for nobody") if text in file.read_bytes()]


class Typed(io.StringIO):
    """A keyboard."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_shown_what_there_is_and_asked(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill_one() -> None:
        async with clew.connect(url) as store:
            await store.threads.create("babbage")

    asyncio.run(fill_one())
    for answer, left in (("n\n", 1), ("y\n", 0)):
        monkeypatch.setattr("sys.stdin", Typed(answer))
        assert start(app, ["forget", "babbage"]) == 0
        said = capsys.readouterr()
        assert "found: 1 documents, 1 partitions" in said.out
        assert "Erase all of 'babbage' for good?" in said.err + said.out
        assert run(capsys, "forget", "babbage", "--dry-run", "--json")[1]["found"].get("partitions", 0) == left
    assert "left: nothing" in said.out


def test_a_writer_who_goes_on_is_told_by_the_exit_code(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    erase = SqliteBackend.erase_owner

    async def write_again(self: SqliteBackend, owner: str, *, cursor: str | None = None, dry: bool = False) -> Erased:
        if cursor is None:
            await self.commit(Partition(owner, "late"), [PutDocument("d", b"1")])
        return await erase(self, owner, cursor=cursor, dry=dry)

    monkeypatch.setattr(SqliteBackend, "erase_owner", write_again)
    code, told = run(capsys, "forget", "babbage", "--yes", "--no-scrub", "--json")
    assert (code, told["left"]["partitions"]) == (8, 1)
