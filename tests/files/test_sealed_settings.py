"""Where the keys of files come from, what of it is refused, and what `clew doctor` tells of encrypted files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from clew import InvalidError, UnavailableError, UnreadableError
from clew.cli.doctor_files import examine_files
from clew.files import connect_files, parse_files_url, volume_key
from clew.files.address import Bucket
from clew.frames import SEALED_FILE
from clew.settings import Settings

from ..wrappers.support import key

NEW, OLD = key("new"), key("old")
SECRET = quote(NEW, safe="")
A = volume_key("user", "ada", "a.md")


def settings_of(folder: Path, **environ: str) -> Settings:
    """Return the settings of an environment with a store in this folder."""
    return Settings.from_env({"CLEW_URL": f"sqlite:///{folder}/chat.db", "CLEW_OWNER": "ada", **environ}, None)


def stored(folder: Path, files: str = "chat.files") -> bytes:
    return (folder / files).joinpath(*A).read_bytes()


@pytest.mark.parametrize("beside", [True, False], ids=["beside the store", "elsewhere"])
async def test_files_have_the_keys_of_their_store(tmp_path: Path, beside: bool) -> None:
    (tmp_path / "keys").write_text(f"{NEW}\n{OLD}\n")
    more = {} if beside else {"CLEW_FILES_URL": (tmp_path / "chat.files").as_uri()}
    ways = (
        settings_of(tmp_path, CLEW_ENCRYPTION_KEYS=NEW, CLEW_COMPRESS="yes", CLEW_ENCRYPTION_VALUES="yes", **more),
        settings_of(tmp_path, CLEW_ENCRYPTION_KEYS_FILE=str(tmp_path / "keys"), **more),
        settings_of(tmp_path, CLEW_URL=f"sqlite:///{tmp_path}/chat.db?encryption_secret={SECRET}", **more),
    )
    for settings in ways:
        async with connect_files(settings=settings) as files:
            await files.put(A, b"secret")
            assert await (await files.get(A)).read() == b"secret"
        assert stored(tmp_path).startswith(SEALED_FILE)
        assert b"secret" not in stored(tmp_path)
    async with connect_files(settings=settings_of(tmp_path, **more)) as bare:
        with pytest.raises(UnreadableError, match="set CLEW_ENCRYPTION_KEYS"):
            await bare.get(A)
    strict = settings_of(tmp_path, CLEW_ENCRYPTION_KEYS=NEW, CLEW_ENCRYPTION_PLAIN="refuse", **more)
    (tmp_path / "chat.files").joinpath(*A).write_bytes(b"plain")
    async with connect_files(settings=strict) as files:
        with pytest.raises(UnreadableError, match="encryption_plain=refuse"):
            await files.get(A)


async def test_what_the_url_of_files_says_goes_first(tmp_path: Path) -> None:
    url = f"{(tmp_path / 'files').as_uri()}?encryption_secret={quote(OLD, safe='')}"
    for settings in (
        settings_of(tmp_path, CLEW_FILES_URL=url, CLEW_ENCRYPTION_KEYS=NEW),
        settings_of(tmp_path, CLEW_FILES_URL=url),
    ):
        async with connect_files(settings=settings) as files:
            await files.put(A, b"secret")
        assert stored(tmp_path, "files")[8:11] == b"old"


async def test_a_url_that_a_program_gives_is_all_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_ENCRYPTION_KEYS", NEW)
    async with connect_files((tmp_path / "files").as_uri()) as files:
        await files.put(A, b"plain")
    assert stored(tmp_path, "files") == b"plain"


def test_the_url_of_files_is_read_without_its_keys() -> None:
    assert parse_files_url(f"file:///a?encryption_secret={SECRET}&encryption_plain=refuse") == Path("/a")
    assert parse_files_url(f"s3://b/p?encryption_file=/keys&region=r&encryption_secret={SECRET}") == Bucket("b", "p", region="r")
    assert parse_files_url("memory://?encryption_plain=take") is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("encryption_secret=nothing", "has no id"),
        ("encryption_secret=a:ab%3D", "no base64|instead of 32"),
        (f"encryption_secret={SECRET}&encryption_secret={SECRET}", "twice"),
        (f"encryption_secret={SECRET}&encryption_file=/x", "in a file"),
        (f"encryption_secret={SECRET}&encryption_plain=maybe", "take or refuse"),
        (f"encryption_secret={SECRET}&encryption_values=yes", "has no options"),
        (f"encryption_secret={SECRET}&compress=yes", "has no options"),
        ("encryption_plain=refuse", "has no keys"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_nothing_is_made(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said) as caught:
        await connect_files(f"{(tmp_path / 'files').as_uri()}?{options}")
    assert NEW.partition(":")[2] not in str(caught.value)
    with pytest.raises(UnavailableError, match="cannot be read"):
        await connect_files(f"memory://?encryption_file={tmp_path}/none")
    assert list(tmp_path.iterdir()) == []


async def told(settings: Settings) -> dict[str, tuple[bool | None, str]]:
    return {check.name: (check.ok, check.detail) async for check in examine_files(settings)}


async def test_doctor_tells_whether_files_are_encrypted_and_makes_nothing(tmp_path: Path) -> None:
    place = (tmp_path / "chat.files").as_uri()
    assert await told(settings_of(tmp_path)) == {"files": (True, f"{place}: nothing there yet")}
    assert list(tmp_path.iterdir()) == []
    for n, environ in enumerate(({}, {"CLEW_ENCRYPTION_KEYS": OLD}, {"CLEW_ENCRYPTION_KEYS": f"{NEW},{OLD}"})):
        settings = settings_of(tmp_path, **environ)
        async with connect_files(settings=settings) as files:
            await files.put(volume_key("user", "ada", str(n)), b"x" * n)
            await files.put(("attachments", "ada", str(n)), b"")
            await files.put(volume_key("user", "bob", str(n)), b"x")
        if not n:
            assert await told(settings) == {"files": (True, f"{place}: not encrypted")}
    assert await told(settings) == {
        "files": (True, f"{place}: AES-256-GCM, writes with the key new; reads old too"),
        "sample of files": (None, "2 key new, 2 key old, 2 plain: not all of it has the newest key, new; keep the older keys"),
    }
    counts = "2 key new, 2 key old, 2 plain"
    for more, said in (
        ({}, "it is encrypted: set CLEW_ENCRYPTION_KEYS"),
        ({"CLEW_ENCRYPTION_KEYS": NEW}, "'old', which is not there"),
        ({"CLEW_ENCRYPTION_KEYS": f"{NEW},{OLD}", "CLEW_ENCRYPTION_PLAIN": "refuse"}, "encryption_plain=refuse"),
    ):
        ok, detail = (await told(settings_of(tmp_path, **more)))["sample of files"]
        assert (ok, detail[: len(counts)]) == (False, counts)
        assert said in detail
    ok, detail = (await told(settings_of(tmp_path, CLEW_FILES_URL="file:///none/of/these")))["files"]
    assert (ok, "make it" in detail) == (False, True)


async def test_a_sample_that_has_the_newest_key_alone_is_well(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CLEW_ENCRYPTION_KEYS=NEW)
    async with connect_files(settings=settings) as files:
        await files.put(A, b"x")
    assert (await told(settings))["sample of files"] == (True, "1 key new")
    secret = f"{(tmp_path / 'chat.files').as_uri()}?encryption_secret={SECRET}"
    assert SECRET not in (await told(settings_of(tmp_path, CLEW_FILES_URL=secret)))["files"][1]
