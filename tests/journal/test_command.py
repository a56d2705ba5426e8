"""`clew journal`: listing what waits, draining what a process left, and forgetting what was refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import clew
from clew import NewItem, Ref
from clew.cli import running
from clew.cli.app import app
from clew.errors import UnavailableError
from clew.wrappers.journal import JournalBackend


async def leave(url: str) -> None:
    """Accept two writes, one of which the store will refuse, and go away before the store is back."""

    async def away(*arguments: object, **named: object) -> None:
        raise UnavailableError("the store is away")

    async with clew.connect(url) as store:
        await store.threads.create("ada", id="kept")
        backend = store.backend
        assert isinstance(backend, JournalBackend)
        backend.inner.commit = away  # type: ignore[method-assign, assignment]
        await store.items.append(Ref("ada", "kept"), NewItem.json("left behind"))
        await store.items.append(Ref("ada", "never"), NewItem.json("for nobody"))


def test_what_a_process_left_is_listed_drained_and_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"URL": f"sqlite:///{tmp_path}/s.db", "ON_OUTAGE": "journal", "JOURNAL": f"{tmp_path}/j"}.items():
        monkeypatch.setenv(f"CLEW_{name}", value)
    asyncio.run(leave(f"sqlite:///{tmp_path}/s.db?on_outage=journal&journal={tmp_path}/j"))

    def listed() -> dict[str, Any]:
        assert running.start(app, ["journal", "list", "--json"]) == 0
        (journal,) = json.loads(capsys.readouterr().out)["journals"]
        assert isinstance(journal, dict)
        return journal

    assert (listed()["waiting"], listed()["refused"]) == (2, [])
    assert running.start(app, ["journal", "drain"]) == 0
    assert "drained" in capsys.readouterr().err
    journal = listed()
    assert (journal["waiting"], [line["thread"] for line in journal["refused"]]) == (0, ["never"])
    assert running.start(app, ["journal", "list"]) == 0
    assert "NotFoundError" in capsys.readouterr().out
    assert running.start(app, ["journal", "drop", str(journal["name"]), "999"]) == 3
    assert running.start(app, ["journal", "drop", str(journal["name"])]) == 0
    capsys.readouterr()
    assert listed()["refused"] == []
    assert running.start(app, ["journal", "drop", "../s"]) != 0

    async def read() -> list[object]:
        async with clew.connect(f"sqlite:///{tmp_path}/s.db") as store:
            return [item.json() for item in await store.items.page(Ref("ada", "kept"))]

    assert asyncio.run(read()) == ["left behind"]


@pytest.mark.parametrize(
    ("folder", "said", "code"),
    [("file", "is no folder", 2), ("junk", "is no journal of clew: move it away", 6), ("", "--folder is empty", 2)],
)
def test_a_folder_without_journals_is_told_apart_from_one_where_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: str, said: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEW_URL", "memory://")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a-1.db").write_text("no database, however long it may be" * 10)
    assert running.start(app, ["journal", "list", "--folder", folder]) == code
    assert said in capsys.readouterr().err
    assert running.start(app, ["journal", "list", "--folder", "none"]) == 0
    if code == 2:
        assert running.start(app, ["journal", "drain", "--folder", folder]) == code


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEW_URL", "memory://")
    assert running.start(app, ["journal", "drain", "--folder", ".", "--timeout", seconds]) == 2
    assert "--timeout" in capsys.readouterr().err


@pytest.mark.parametrize("group", ["journal", "keys", "retention"])
def test_a_group_without_its_command_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str], group: str) -> None:
    assert running.start(app, [group]) == 2
    assert capsys.readouterr().err == f"clew: a command of clew {group} is missing: clew {group} --help lists them\n"
