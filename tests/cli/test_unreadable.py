"""What the commands say of records that cannot be read with the keys that are there, and of stores that do not answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import clew
from clew.cli.app import app
from clew.cli.running import start

from ..wrappers.support import key


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that is read without what wrote it; the environment names it."""
    made = f"sqlite:///{tmp_path}/store.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEW_URL", made)
    monkeypatch.setenv("CLEW_OWNER", "ada")
    return made


async def fill(url: str, items: int) -> None:
    async with clew.connect(url) as store:
        thread = await store.threads.create("ada", id="t", title="a title that is long enough to be compressed " * 9)
        await store.items.append(thread, [clew.NewItem.json({"text": "long enough " * 99}) for _ in range(items)])


@pytest.mark.parametrize(
    ("options", "said"),
    [("encryption_secret=" + key("old").replace("=", "%3D"), "CLEW_ENCRYPTION_KEYS"), ("compress=yes", "CLEW_COMPRESS")],
)
@pytest.mark.parametrize("items", [0, 1])
def test_what_cannot_be_read_is_neither_exported_nor_copied(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, said: str, items: int
) -> None:
    asyncio.run(fill(f"{url}?{options}", items))
    for words in (["export"], ["export", "--thread", "t"], ["copy", url, f"sqlite:///{tmp_path}/other.db"]):
        assert start(app, words) == 7
        told = capsys.readouterr()
        assert said in told.err
        assert '"item"' not in told.out
    assert start(app, ["threads", "--json"]) == 0
    (thread,) = json.loads(capsys.readouterr().out)["threads"]
    assert said in thread["unreadable"]
    assert start(app, ["threads"]) == 0
    assert said in capsys.readouterr().out


def test_a_store_that_does_not_answer_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert start(app, ["conform", "redis://ada:hidden@127.0.0.1:1/0?timeout=0.1", "--json"]) == 5
    told = capsys.readouterr()
    assert json.loads(told.err)["error"] == "UnavailableError"
    assert "hidden" not in told.err + told.out


@pytest.mark.parametrize(
    "words",
    [
        ["forget", "ada", "--yes"],
        ["doctor"],
        ["journal", "drop", "x" * 300, "--folder", "."],
        ["import", "--layout", "langgraph-sqlite", "x" * 300],
    ],
)
def test_a_path_that_cannot_be_looked_at_is_no_fault_of_clew(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", "file:///" + "x" * 300)
    assert start(app, words) == (8 if words == ["doctor"] else 2)
    told = capsys.readouterr()
    assert "x" * 300 in told.out + told.err
