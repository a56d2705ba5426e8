"""The configuration: its names, limits and defaults, what is refused, and which URL comes of it."""

from __future__ import annotations

from typing import Any

import pytest

import clew
from clew.adapters.routing import ConversationConfig, ConversationStore
from servers import Server, find

DEFAULTS = "timeout=3&connect_timeout=5&retries=3"


def test_the_defaults_are_those_of_the_founding_system() -> None:
    config = ConversationConfig()
    assert (config.db, config.key_prefix, config.routes_prefix) == (0, "codecoder:", "codecoder:conv:")
    assert (config.connect_timeout, config.command_timeout, config.max_retries_per_request) == (5_000, 3_000, 3)
    assert config.choose_url(environ={"XDG_DATA_HOME": "/nowhere"}) == f"redis://localhost:6379?{DEFAULTS}"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"keyPrefix": "x"}, "did you mean 'key_prefix'"),
        ({"ttl": 1}, "not known"),
        ({1: 1}, "not known"),
        ({"db": -1}, "0 to 15"),
        ({"db": 16}, "0 to 15"),
        ({"db": True}, "0 to 15"),
        ({"db": "1"}, "0 to 15"),
        ({"url": ""}, "url"),
        ({"url": "localhost:6379"}, "scheme"),
        ({"url": 7}, "url"),
        ({"password": ""}, "password"),
        ({"key_prefix": ""}, "key_prefix"),
        ({"key_prefix": None}, "key_prefix"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"command_timeout": 1.5}, "command_timeout"),
        ({"max_retries_per_request": -1}, "max_retries_per_request"),
        ([], "mapping"),
    ],
    ids=str,
)
def test_what_is_unknown_or_cannot_be_used_is_refused(setting: Any, said: str) -> None:
    with pytest.raises(clew.InvalidError, match=said):
        ConversationStore(setting)


@pytest.mark.parametrize("number", [0, 15])
def test_every_database_from_0_to_15_may_be_named(number: int) -> None:
    assert ConversationConfig(db=number).db == number


@pytest.mark.parametrize(
    ("config", "environ", "url"),
    [
        ({"url": "redis://h"}, {"REDIS_URL": "redis://other"}, f"redis://h?{DEFAULTS}"),
        ({}, {"REDIS_URL": "redis://other/2"}, f"redis://other/2?{DEFAULTS}"),
        ({}, {"REDIS_URL": "redis://other", "CLEW_URL": "redis://third"}, f"redis://third?{DEFAULTS}"),
        ({}, {"REDIS_PASSWORD": "p@"}, f"redis://:p%40@localhost:6379/0?{DEFAULTS}"),
        ({"url": "redis://h", "password": "p/w"}, {}, f"redis://:p%2Fw@h?{DEFAULTS}"),
        ({"url": "redis://ada@h/1", "password": "p"}, {}, f"redis://ada:p@h/1?{DEFAULTS}"),
        ({"url": "redis://h"}, {"REDIS_PASSWORD": "p"}, f"redis://:p@h?{DEFAULTS}"),
        ({"url": "redis://ada:old@h"}, {"REDIS_PASSWORD": "p"}, f"redis://ada:old@h?{DEFAULTS}"),
        ({"url": "redis://h:1/0", "db": 3}, {}, f"redis://h:1?{DEFAULTS}&db=3"),
        ({"url": "redis://h:1/3", "db": 3}, {}, f"redis://h:1?{DEFAULTS}&db=3"),
        ({"url": "redis://h:1?timeout=9&db=3", "db": 3}, {}, "redis://h:1?timeout=9&db=3&connect_timeout=5&retries=3"),
        ({"url": "unix:///run/redis.sock", "db": 3}, {}, f"unix:///run/redis.sock?{DEFAULTS}&db=3"),
        ({"url": "redis+sentinel://a,b/main/0", "db": 3}, {}, f"redis+sentinel://a,b/main?{DEFAULTS}&db=3"),
        ({"url": "sqlite:///r.db"}, {"REDIS_PASSWORD": "p"}, "sqlite:///r.db?timeout=3"),
        ({"url": "memory://", "command_timeout": 250}, {}, "memory://?timeout=0.25"),
    ],
    ids=str,
)
def test_the_url_has_everything_in_it(config: dict[str, Any], environ: dict[str, str], url: str) -> None:
    assert ConversationConfig.from_mapping(config).choose_url(environ=environ) == url


@pytest.mark.parametrize(
    "config",
    [
        {"url": "redis://h/2", "db": 3},
        {"url": "redis://h?db=2", "db": 3},
        {"url": "redis://ada:one@h", "password": "two"},
        {"url": "sqlite:///r.db", "db": 3},
        {"url": "memory://", "password": "p"},
    ],
    ids=str,
)
def test_what_url_and_settings_say_differently_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(clew.InvalidError) as caught:
        ConversationConfig.from_mapping(config).choose_url(environ={})
    assert "one" not in str(caught.value).replace("leave one", "").replace("one of", "")


def test_credentials_are_in_no_representation() -> None:
    config = ConversationConfig(url="redis://ada:s3cret@h", password="s3cret")
    assert "s3cret" not in repr(config)


async def test_password_and_database_reach_the_server() -> None:
    with Server(find("redis-8.2"), password="p@ss/w:rd") as server:
        async with ConversationStore({"url": f"redis://{server.address}", "password": "p@ss/w:rd", "db": 3}) as routing:
            await routing.set("c", "s")
            assert sorted(server.info("keyspace")) == ["db3"]
