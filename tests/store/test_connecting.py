"""Opening a store: in both ways, from the environment, and what happens to it when a block fails or is left twice."""

from __future__ import annotations

import os
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import clew
from clew.service.watched import watch
from clew.settings import mask_url


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings."""
    for name in list(os.environ):
        if name.startswith(("CLEW_", "REDIS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


async def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEW_URL", f"sqlite:///{tmp_path}/mine.db")
    async with clew.connect() as store:
        await store.threads.create("ada")
    assert (tmp_path / "mine.db").is_file()


async def test_a_file_names_the_store_where_the_environment_does_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"CLEW_URL=sqlite:///{tmp_path}/from-file.db\n")
    await (await clew.connect()).aclose()
    assert (tmp_path / "from-file.db").is_file()


async def test_without_a_word_it_is_a_file_that_only_its_user_can_read(tmp_path: Path) -> None:
    async with clew.connect() as store:
        thread = await store.threads.create("ada", title="kept")
    async with clew.connect() as store:
        assert (await store.threads.get(thread)).title == "kept"
    folder = tmp_path / "data" / "clew"
    assert (folder / "clew.db").is_file()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_file_may_say_where_the_data_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    (tmp_path / ".env").write_text(f"XDG_DATA_HOME={tmp_path}/elsewhere %20\n")
    await (await clew.connect()).aclose()
    assert (tmp_path / "elsewhere %20" / "clew" / "clew.db").is_file()


async def test_a_folder_that_cannot_be_made_is_no_reason_to_forget(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, where the folder should be")
    with pytest.raises(clew.UnavailableError, match="CLEW_URL"):
        await clew.connect()


async def test_the_store_is_closed_when_its_block_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with clew.connect("memory://") as store:
            raise ZeroDivisionError
    with pytest.raises(clew.ClosedError):
        await store.threads.create("ada")


async def test_closing_twice_does_nothing(url: str) -> None:
    store = await clew.connect(url)
    await store.aclose()
    await store.aclose()
    with pytest.raises(clew.ClosedError):
        await store.items.tail(clew.Ref("ada", "t"))


async def test_an_open_store_is_a_context_of_its_own() -> None:
    async with await clew.connect("memory://") as store:
        await store.threads.create("ada")
    with pytest.raises(clew.ClosedError):
        await store.threads.create("ada")


async def test_one_connection_is_entered_once_at_a_time() -> None:
    connecting = clew.connect("memory://")
    async with connecting as store:
        with pytest.raises(clew.InvalidError):
            await connecting.__aenter__()
        await store.threads.create("ada")
    async with connecting as another:
        assert list(await another.threads.list("ada")) == []


def test_nothing_is_opened_before_it_is_awaited(tmp_path: Path) -> None:
    clew.connect(f"sqlite:///{tmp_path}/never.db")
    assert not (tmp_path / "never.db").exists()


@pytest.mark.parametrize("url", ["", "clew.db", "postgres://x", "sqlite://", "redis://h:port", "://", "memory://name"])
async def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(clew.InvalidError):
        await clew.connect(url)


@pytest.mark.parametrize("password", ["hidden/x", "1/hidden", "hidden#x", "?hidden", "[hidden", "\u2100hidden"])
@pytest.mark.parametrize("kind", ["redis", "redis+cluster", "redis+sentinel"])
async def test_a_password_with_a_character_that_was_not_escaped_is_not_told(kind: str, password: str) -> None:
    with pytest.raises(clew.InvalidError) as caught:
        await clew.connect(f"{kind}://:{password}@localhost:1/0?timeout=0.1")
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_a_path_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(clew.InvalidError, match="string"):
        clew.connect(tmp_path)  # type: ignore[arg-type]


async def test_two_stores_on_one_file_see_each_others_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    async with clew.connect(url) as first, clew.connect(url) as second:
        thread = await first.threads.create("ada")
        await first.items.append(thread, clew.NewItem(b"1"))
        assert [item.data for item in await second.items.tail(thread)] == [b"1"]


async def test_a_store_says_where_it_is_without_its_password(url_of: Callable[..., str], tmp_path: Path) -> None:
    url = url_of("redis-8.2")
    for given, place in (
        ("memory://", "memory://"),
        (f"sqlite:///{tmp_path}/a.db?timeout=1", f"sqlite:///{tmp_path}/a.db"),
        (url, mask_url(url).partition("?")[0].replace("***@", "")),
    ):
        async with clew.connect(given) as store:
            assert store.place == place
            watched = watch(store, lambda error: None, lambda: None)
            assert watched.place == place
