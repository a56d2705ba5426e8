"""What URLs of files ask for, and where files are without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew import InvalidError
from clew.files import connect_files, url_beside
from clew.files.address import Bucket, parse_files_url
from clew.settings import Settings


def test_a_folder_is_named_by_its_absolute_path() -> None:
    assert parse_files_url("file:///var/lib/clew/files") == Path("/var/lib/clew/files")
    assert parse_files_url("file://localhost/var/a%20b%3Fc/") == Path("/var/a b?c")
    assert parse_files_url("file:///var/../srv/./files") == Path("/srv/files")
    assert parse_files_url("memory://") is None


def test_a_bucket_is_named_with_its_options() -> None:
    assert parse_files_url("s3://chat") == Bucket("chat")
    assert parse_files_url("s3://my.chat/a/b%20c/") == Bucket("my.chat", "a/b c")
    url = "s3://chat/p?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=eu-central-1&style=host&timeout=2.5"
    assert parse_files_url(url) == Bucket("chat", "p", "http://127.0.0.1:9000", "eu-central-1", True, 2.5)


@pytest.mark.parametrize(
    "url",
    [
        "", "files", "/var/lib", "http://x/y", "file:relative", "file://host/path", "file://", "file:///", "file:///a%00b", "file:///a?b=c",
        "file:///a#b", "memory://name", "memory:///path", "s3://", "s3:///prefix", "s3://bucket:9000/x", "s3://b/../x", "s3://b/a//c",
        "s3://b/" + "x" * 151, "s3://b/%00", "s3://b/%C3%A9", "s3://b?", "s3://b?endpoint=", "s3://b?endpoint=host:9000", "s3://b?endpoint=ftp://x",
        "s3://b?endpoint=http://", "s3://b?endpoint=http://[", "s3://b?region=", "s3://b?style=virtual", "s3://b?timeout=0", "s3://b?timeout=nan",
        "s3://b?timeout=601", "s3://b?timeout=x", "s3://b?other=1", "s3://b?timeout=1&timeout=2", "s3://[",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(url: str) -> None:
    if url == "s3://b?":
        assert parse_files_url(url) == Bucket("b")
        return
    with pytest.raises(InvalidError):
        parse_files_url(url)


@pytest.mark.parametrize(
    "url",
    ["s3://ada:lovelace@bucket/x", "s3://ada@bucket", "s3://b?endpoint=http://ada:lovelace@host", "file://ada:lovelace@h/x"],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_files_url(url)
    assert "lovelace" not in str(caught.value)


def test_files_are_beside_the_store(tmp_path: Path) -> None:
    assert url_beside(f"sqlite:///{tmp_path}/my%20chats.db") == (tmp_path / "my chats.files").as_uri()
    assert url_beside("sqlite:///relative.db") == (Path.cwd() / "relative.files").as_uri()
    assert url_beside("memory://") == "memory://"
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    for store in ("redis://localhost/0", "rediss+cluster://a:1,b:2", "redis+sentinel://x/y"):
        assert url_beside(store, environ) == (tmp_path / "clew" / "clew.files").as_uri()


async def test_without_a_url_the_environment_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLEW_URL", "CLEW_FILES_URL", "REDIS_URL", "REDIS_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    async with connect_files() as files:
        await files.put(("a",), b"x")
    assert (tmp_path / "data" / "clew" / "clew.files" / "a").read_bytes() == b"x"
    monkeypatch.setenv("CLEW_FILES_URL", (tmp_path / "other").as_uri())
    async with connect_files() as files:
        await files.put(("a",), b"y")
    assert (tmp_path / "other" / "a").read_bytes() == b"y"


async def test_settings_say_where_they_are_and_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", (tmp_path / "elsewhere").as_uri())
    settings = Settings.from_env({"CLEW_URL": f"sqlite:///{tmp_path}/chat.db"}, None)
    async with connect_files(settings=settings) as files:
        await files.put(("a",), b"x")
    assert (tmp_path / "chat.files" / "a").read_bytes() == b"x"
    assert not (tmp_path / "elsewhere").exists()


async def test_files_of_a_store_on_redis_are_in_the_data_folder_which_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CLEW_URL", "redis://localhost:1/0")
    monkeypatch.delenv("CLEW_FILES_URL", raising=False)
    async with connect_files() as files:
        await files.put(("a",), b"x")
    assert (tmp_path / "data" / "clew" / "clew.files" / "a").read_bytes() == b"x"


def test_the_setting_is_read_and_never_shown() -> None:
    settings = Settings.from_env({"CLEW_FILES_URL": "s3://secret-bucket", "CLEW_OWNER": "ada"}, env_file=None)
    assert settings.files_url == "s3://secret-bucket"
    assert "secret-bucket" not in repr(settings)
    assert Settings.from_env({"CLEW_OWNER": "ada"}, env_file=None).files_url is None


async def test_a_connection_is_used_once() -> None:
    connecting = connect_files("memory://")
    async with connecting:
        with pytest.raises(InvalidError, match="in use"):
            await connecting.__aenter__()
    with pytest.raises(InvalidError, match="string"):
        connect_files(7)  # type: ignore[arg-type]  # that is the test
