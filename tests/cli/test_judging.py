"""What `clew doctor` makes of the facts that a store tells, and of the journals beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.cli.doctor import examine
from clew.cli.judging import Fact, judge
from clew.errors import UnavailableError
from clew.records import Partition, PutDocument
from clew.wrappers.journal import Options, open_book
from clew.wrappers.journal.records import Write, encode_write


@pytest.mark.parametrize(
    ("name", "value", "ok", "said"),
    [
        ("role", "primary", True, "primary"),
        ("role", "replica", False, "name its primary"),
        ("evicted keys", 0, True, "0"),
        ("evicted keys", 3, None, "deleted parts of conversations"),
        ("last snapshot", "ok", True, "ok"),
        ("last snapshot", "err", False, "cannot save"),
        ("last append-only write", None, True, "unknown"),
        ("memory used", 80 << 20, True, "80.0 MiB"),
        ("memory used", 81 << 20, None, "81% of what it may use"),
        ("free disk", 1 << 20, None, "make room"),
    ],
)
def test_a_fact_that_is_a_reason_to_worry_is_told_in_a_sentence(name: str, value: Fact, ok: bool | None, said: str) -> None:
    check = judge(name, value, {"most memory": 100 << 20})
    assert check.ok is ok
    assert said in check.detail


async def journal_of(url: str) -> tuple[bool | None, str]:
    """Return what doctor says of a store's journals."""
    checks = {check.name: check async for check in examine(url)}
    return checks["journal"].ok, checks["journal"].detail


async def test_what_waits_in_a_journal_is_told_also_while_the_store_is_away(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:1/0?timeout=0.1&on_outage=journal&journal={tmp_path}/j"
    assert await journal_of(url) == (True, f"{tmp_path}/j: nothing waits")
    assert not (tmp_path / "j").exists()
    (tmp_path / "j").mkdir()
    book = await open_book(f"{tmp_path}/j/a-1.db", "redis://127.0.0.1:1/0", max_bytes=Options(tmp_path).max_bytes)
    try:
        write = encode_write(Write([PutDocument("a", b"1")], None))
        await book.add(Partition("ada", "t"), write, lambda seq: None)
        ok, said = await journal_of(url)
    finally:
        await book.aclose()
    assert (ok, "writes that wait: 1 " in said) == (None, True)
    assert [check.name async for check in examine(url) if check.ok is False] == ["connect"]


async def test_a_folder_that_cannot_hold_a_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    ok, said = await journal_of(f"memory://?on_outage=journal&journal={tmp_path}/file/j")
    assert (ok, said) == (False, f"{tmp_path}/file is no folder: name another one for the journals")


async def test_a_store_that_goes_away_under_the_doctor_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def away(*_: object) -> None:
        raise UnavailableError("the store is away")

    monkeypatch.setattr("clew.backends.sqlite.backend.SqliteBackend.describe", away)
    assert [(each.name, each.ok) async for each in examine(f"sqlite:///{tmp_path}/a.db")] == [
        ("connect", True),
        ("stopped", False),
    ]
