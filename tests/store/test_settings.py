"""Settings: which variable wins, what is refused, and that no credential is ever shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import clew
from clew.cli.running import settings_of
from clew.settings import DEFAULT_OWNER, Settings, data_folder, mask_url


def url_from(file: Path | None = None, **environ: str) -> str:
    """Return the URL of an environment."""
    return Settings.from_env({"XDG_DATA_HOME": "/data", **environ}, file).url


@pytest.mark.parametrize(
    ("environ", "url", "source"),
    [
        ({}, "sqlite:////data/clew/clew.db", "the default"),
        ({"CLEW_URL": "memory://", "REDIS_URL": "redis://a"}, "memory://", "CLEW_URL"),
        ({"CLEW_URL": "", "REDIS_URL": "redis://a"}, "redis://a", "REDIS_URL"),
        ({"REDIS_URL": "redis://a", "REDIS_HOST": "b"}, "redis://a", "REDIS_URL"),
        ({"REDIS_HOST": "b"}, "redis://b:6379/0", "REDIS_HOST"),
        ({"REDIS_PORT": "7000"}, "redis://localhost:7000/0", "REDIS_PORT"),
        ({"REDIS_HOST": "b", "REDIS_PORT": "7000", "REDIS_DB": "3"}, "redis://b:7000/3", "REDIS_HOST"),
        ({"REDIS_HOST": "b", "REDIS_PASSWORD": "p@/:#%"}, "redis://:p%40%2F%3A%23%25@b:6379/0", "REDIS_HOST"),
        ({"REDIS_HOST": "b", "REDIS_USERNAME": "u", "REDIS_PASSWORD": "p"}, "redis://u:p@b:6379/0", "REDIS_HOST"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0", "REDIS_HOST"),
        # What Kubernetes sets for a service named redis says nothing about us.
        ({"REDIS_PORT": "tcp://10.0.0.1:6379"}, "sqlite:////data/clew/clew.db", "the default"),
        (
            {
                "CLEW_SERVICE_HOST": "10.0.0.1",
                "CLEW_SERVICE_PORT_HTTP": "80",
                "CLEW_PORT": "tcp://10.0.0.1:80",
                "CLEW_PORT_80_TCP_ADDR": "10.0.0.1",
                "CLEW_URL": "memory://",
            },
            "memory://",
            "CLEW_URL",
        ),
        ({"REDIS_URL": "redis://a", "CLEW_NAMESPACE": "n"}, "redis://a?namespace=n", "REDIS_URL"),
        ({"CLEW_URL": "redis://a?timeout=1", "CLEW_NAMESPACE": "n&x"}, "redis://a?timeout=1&namespace=n%26x", "CLEW_URL"),
        (
            {"CLEW_URL": "redis://a?timeout=1", "CLEW_ON_OUTAGE": "journal", "CLEW_JOURNAL": "/var/a b"},
            "redis://a?timeout=1&on_outage=journal&journal=/var/a%20b",
            "CLEW_URL",
        ),
        ({"CLEW_URL": "memory://?on_outage=raise", "CLEW_ON_OUTAGE": "journal"}, "memory://?on_outage=raise", "CLEW_URL"),
    ],
    ids=str,
)
def test_the_store_is_found(environ: dict[str, str], url: str, source: str) -> None:
    settings = Settings.from_env({"XDG_DATA_HOME": "/data", **environ}, None)
    assert (settings.url, settings.source) == (url, source)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CLEW_ULR": "memory://"}, r"CLEW_ULR is not known.*CLEW_URL, CLEW_NAMESPACE, CLEW_OWNER"),
        ({"CLEW_ON_OUTAGE": "ignore"}, "CLEW_ON_OUTAGE must be raise or journal"),
        ({"CLEW_NAMESPACE": "n"}, "CLEW_NAMESPACE is for Redis"),
        ({"CLEW_URL": "memory://", "CLEW_NAMESPACE": "n"}, "CLEW_NAMESPACE is for Redis"),
        ({"CLEW_URL": "redis://a?namespace=m", "CLEW_NAMESPACE": "n"}, "leave one of them out"),
        ({"CLEW_URL": "redis://[a", "CLEW_NAMESPACE": "n"}, "malformed"),
        ({"REDIS_HOST": "a", "REDIS_PORT": "x"}, "REDIS_PORT"),
        ({"REDIS_HOST": "a", "REDIS_PORT": "70000"}, "REDIS_PORT"),
        ({"REDIS_HOST": "a", "REDIS_DB": "main"}, "REDIS_DB"),
        ({"CLEW_OWNER": "x" * 513}, "CLEW_OWNER"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_with_a_sentence(environ: dict[str, str], said: str) -> None:
    with pytest.raises(clew.InvalidError, match=said):
        Settings.from_env({"XDG_DATA_HOME": "/data", **environ}, None)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("redis://b", "redis://b?namespace=n"),
        ("redis://b?timeout=1", "redis://b?timeout=1&namespace=n"),
        ("redis://b?namespace=m", "redis://b?namespace=m"),
        ("sqlite:///b.db", "sqlite:///b.db"),
    ],
)
@pytest.mark.parametrize("environ", [{}, {"CLEW_URL": "redis://a?namespace=a"}], ids=str)
def test_the_namespace_counts_for_a_given_url_that_names_none(given: str, url: str, environ: dict[str, str]) -> None:
    settings = Settings.from_env({"CLEW_NAMESPACE": "n", **environ}, None, url=given)
    assert (settings.url, settings.source) == (url, "the command line")


def test_the_commands_take_the_namespace_to_a_url_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_NAMESPACE", "n")
    assert settings_of("redis://b", None).url == "redis://b?namespace=n"


def test_the_owner_is_named_or_the_systems_user() -> None:
    assert Settings.from_env({"CLEW_OWNER": "ada", "USER": "root"}, None).owner == "ada"
    assert Settings.from_env({"USER": "bob"}, None).owner == "bob"
    assert Settings.from_env({}, None).owner


def test_a_user_without_a_name_is_an_owner_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert Settings.from_env({}, None).owner == DEFAULT_OWNER


def test_a_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nexport CLEW_URL='redis://file'\nCLEW_OWNER=file\nOTHER=x\n")
    settings = Settings.from_env({"CLEW_OWNER": "given"}, file)
    assert (settings.url, settings.owner) == ("redis://file", "given")
    assert url_from(tmp_path / "none") == "sqlite:////data/clew/clew.db"


def test_a_mistake_in_the_file_is_refused_too(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("CLEW_URI=redis://file\n")
    with pytest.raises(clew.InvalidError, match="CLEW_URI"):
        Settings.from_env({}, file)


def test_a_file_that_nobody_can_read_here_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    file = tmp_path / ".env"
    file.write_text("OTHER=x\n")
    assert url_from(file) == "sqlite:////data/clew/clew.db"
    file.write_text("OTHER=x\nexport CLEW_URL=redis://file\n")
    with pytest.raises(clew.MissingExtraError, match=r"clew\[cli\]"):
        url_from(file)


def test_settings_are_frozen_and_show_no_url() -> None:
    settings = Settings.from_env({"CLEW_URL": "redis://:secret@a"}, None)
    with pytest.raises(AttributeError):
        settings.url = "memory://"  # type: ignore[misc]
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("home", "environ", "folder"),
    [
        ("linux", {"HOME": "/u/ada"}, "/u/ada/.local/share/clew"),
        ("linux", {"HOME": "/u/ada", "XDG_DATA_HOME": "/x"}, "/x/clew"),
        ("linux", {"HOME": "/u/ada", "XDG_DATA_HOME": "relative"}, "/u/ada/.local/share/clew"),
        ("darwin", {"HOME": "/u/ada"}, "/u/ada/Library/Application Support/clew"),
        ("win32", {"HOME": "/u", "LOCALAPPDATA": "/u/local"}, "/u/local/clew"),
    ],
)
def test_the_default_file_stands_where_the_platform_keeps_data(
    monkeypatch: pytest.MonkeyPatch, home: str, environ: dict[str, str], folder: str
) -> None:
    monkeypatch.setattr(sys, "platform", home)
    assert data_folder(environ) == Path(folder)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@h:1/0?timeout=2", "redis://***@h:1/0?timeout=2"),
        ("rediss://user:secret@h", "rediss://***@h"),
        ("redis://user:se/cr@et#?@h:1", "redis://***@h:1"),
        (
            "redis+sentinel://u:secret@a,b/m?sentinel_password=secret&db=1",
            "redis+sentinel://***@a,b/m?sentinel_password=***&db=1",
        ),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("sqlite:////u/a@b/clew.db", "sqlite:////u/a@b/clew.db"),
        ("memory://", "memory://"),
        ("not a url", "not a url"),
        ("redis:secret@h", "redis:***@h"),
        ("redis://:secret#more", "redis://***"),
        ("redis://h/0?sentinel_password=a#secret", "redis://***"),
        ("redis://h/0?sentinel_password=a@secret", "redis://***"),
    ],
)
def test_no_credential_is_shown(url: str, shown: str) -> None:
    assert mask_url(url) == shown
