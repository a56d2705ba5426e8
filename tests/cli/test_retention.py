"""`clew retention` in this process: a policy is checked, counted and applied, by one at a time."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.adapters.chatkit.threads import HAS_ATTACHMENTS
from clew.backend import Leasing
from clew.cli.app import app
from clew.cli.retention import ATTACHED
from clew.cli.running import start
from clew.store.retention import PLACE


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SQLite file, which the environment names."""
    monkeypatch.chdir(tmp_path)
    made = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("CLEW_URL", made)
    return made


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = start(app, list(words))
    said = capsys.readouterr()
    return code, json.loads(said.out or said.err)


def test_a_policy_is_shown_counted_and_applied(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = int(time.time() * 1000) - 40 * 86_400_000

    async def fill() -> None:
        async with clew.connect(url) as store:
            items = [clew.NewItem(b"1", created_ms=old), clew.NewItem(b"2")]
            await store.items.append(clew.Ref("ada", "t"), items, create=True)

    asyncio.run(fill())
    (tmp_path / "policy.toml").write_text("[user]\nitem_days = 30\n")
    code, shown = run(capsys, "retention", "show", "policy.toml", "--json")
    assert (code, shown["user"]["item_days"]) == (0, 30)
    code, counted = run(capsys, "retention", "apply", "policy.toml", "--dry-run", "--json")
    assert (code, counted["items"], counted["dry_run"]) == (0, 1, True)
    assert run(capsys, "retention", "apply", "policy.toml", "--owner", "grace", "--json")[1]["threads"] == 0
    assert run(capsys, "retention", "apply", "policy.toml", "--json")[1]["items"] == 1
    assert run(capsys, "retention", "apply", "policy.toml", "--json")[1]["items"] == 0
    (tmp_path / "policy.toml").write_text("[user]\nitem_day = 30\n")
    assert run(capsys, "retention", "apply", "policy.toml", "--json")[0] == 2
    assert run(capsys, "retention", "apply", "nowhere.toml", "--json")[0] == 2


def test_a_policy_is_applied_by_one_at_a_time(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def claim(ttl_ms: int) -> None:
        async with clew.connect(url) as store:
            assert isinstance(store.backend, Leasing)
            assert await store.backend.claim(PLACE, "apply", "another", ttl_ms=ttl_ms)

    asyncio.run(claim(60_000))
    (tmp_path / "policy.toml").write_text("[user]\nitem_days = 30\n")
    code, told = run(capsys, "retention", "apply", "policy.toml", "--json")
    assert (code, told["error"]) == (4, "ConflictError")
    assert run(capsys, "retention", "apply", "policy.toml", "--dry-run", "--json")[0] == 0


def test_the_command_knows_the_note_of_attachments() -> None:
    assert ATTACHED == HAS_ATTACHMENTS
