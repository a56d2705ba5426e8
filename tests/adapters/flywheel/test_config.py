"""What the environment says by the names of both branches, and which store and keys that makes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.adapters.flywheel import RedisConfig, RedisExecutionCache, RedisSessionManager
from clew.adapters.flywheel.config import choose_url

from .conftest import make_session


def test_the_defaults_are_a_day_and_an_hour_on_this_machine() -> None:
    assert RedisConfig.from_env({}) == {
        "enabled": True,
        "ttl_seconds": 86_400,
        "session_ttl": 86_400,
        "execution_ttl": 3_600,
        "key_prefix": "agentic_flywheel",
        "environment": None,
        "host": "localhost",
        "port": 6379,
        "url": "redis://localhost:6379/0?timeout=2",
    }


def test_both_branches_find_their_variables() -> None:
    first = RedisConfig.from_env(
        {"REDIS_ENABLED": "false", "REDIS_TTL_SECONDS": "60", "REDIS_HOST": "r.example", "REDIS_PORT": "6380"}
    )
    assert (first["enabled"], first["ttl_seconds"], first["host"], first["port"]) == (False, 60, "r.example", 6380)
    assert first["url"] == "redis://r.example:6380/0?timeout=2"
    second = RedisConfig.from_env(
        {
            "REDIS_STATE_ENABLED": "FALSE",
            "REDIS_SESSION_TTL_SECONDS": "61",
            "REDIS_EXECUTION_TTL_SECONDS": "62",
            "REDIS_KEY_PREFIX": "fly",
            "REDIS_KEY_ENVIRONMENT": "prod",
            "REDIS_URL": "redis://:s3cret@h:1/2?timeout=5",
        }
    )
    assert (second["enabled"], second["session_ttl"], second["execution_ttl"]) == (False, 61, 62)
    assert (second["key_prefix"], second["environment"], second["url"]) == ("fly", "prod", "redis://:s3cret@h:1/2?timeout=5")
    assert "s3cret" not in repr(second)


@pytest.mark.parametrize(
    "variables",
    [
        {"REDIS_ENABLED": "perhaps"},
        {"REDIS_TTL_SECONDS": "0"},
        {"REDIS_TTL_SECONDS": "-5"},
        {"REDIS_SESSION_TTL_SECONDS": "1.5"},
        {"REDIS_EXECUTION_TTL_SECONDS": "9" * 20},
        {"REDIS_HOST": "h", "REDIS_PORT": "x"},
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(clew.InvalidError, match=list(variables)[-1]):
        RedisConfig.from_env(variables)


def test_the_store_is_the_one_given_or_the_environments() -> None:
    assert choose_url("sqlite:///f.db") == "sqlite:///f.db?timeout=2"
    assert choose_url("redis://h/1?timeout=9&retries=1") == "redis://h/1?timeout=9&retries=1"
    assert choose_url(host="::1", port=7000, db=3, password="p@ss/word") == "redis://:p%40ss%2Fword@[::1]:7000/3?timeout=2"
    assert choose_url(environ={"CLEW_URL": "sqlite:///e.db", "REDIS_HOST": "h"}) == "sqlite:///e.db?timeout=2"
    wrong: list[dict[str, Any]] = [{"url": "h:6379"}, {"url": "redis://h", "port": 1}, {"port": 70_000}, {"db": "x"}]
    for bad in wrong:
        with pytest.raises(clew.InvalidError):
            choose_url(**bad)


async def test_the_environment_alone_makes_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "CLEW_URL": f"sqlite:///{tmp_path}/env.db",
        "REDIS_TTL_SECONDS": "60",
        "REDIS_EXECUTION_TTL_SECONDS": "61",
        "REDIS_KEY_PREFIX": "fly",
        "REDIS_KEY_ENVIRONMENT": "dev",
    }.items():
        monkeypatch.setenv(name, text)
    async with RedisSessionManager.from_env() as manager, RedisExecutionCache.from_env() as cache, clew.connect() as store:
        assert await manager.save_session(make_session())
        assert await cache.cache_result("e", {}, session_id="s1", flow_id="f")
        found = {key: await store.values("fly:dev:").get(key) for key in ("session:s1", "execution:e", "history:s1:f")}
        times = [value.ttl_ms for value in found.values() if value is not None]
        assert [each is not None and each > 50_000 for each in times] == [True] * 3
        assert [each <= most for each, most in zip(times, (60_000, 61_000, 60_000), strict=True) if each is not None] == [
            True
        ] * 3
    off = RedisSessionManager.from_env({"REDIS_ENABLED": "no"})
    assert not off.enabled


@pytest.mark.parametrize("bad", [{"key_prefix": ""}, {"environment": "a:b"}, {"environment": "session"}, {"environment": ""}])
def test_a_prefix_or_environment_that_would_mix_keys_is_refused(bad: dict[str, Any]) -> None:
    for kind in (RedisSessionManager, RedisExecutionCache):
        with pytest.raises(clew.InvalidError):
            kind(**bad)


async def test_the_signatures_of_both_branches_work(memory: clew.Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clew.flywheel")
    for made in (
        RedisSessionManager(True, 60, "localhost", 6379, 0, None),
        RedisSessionManager(enabled=True, ttl_seconds=60, key_prefix="test"),
    ):
        assert (made.enabled, made.ttl_seconds) == (True, 60)
    cache = RedisExecutionCache(enabled=True, ttl_seconds=1800, key_prefix="test")
    assert (cache.enabled, cache.ttl_seconds, cache.key_prefix) == (True, 1800, "test")
    assert caplog.records == []


async def test_where_it_is_switched_off_every_call_says_so(memory: clew.Store) -> None:
    manager = RedisSessionManager(enabled=False, store=memory)
    session = make_session()
    for outcome in (
        await manager.save_session(session),
        await manager.append_history(session, {"a": 1}),
        await manager.delete_session("s1"),
        await manager.fetch_session("s1"),
        await manager.list_sessions(),
    ):
        assert (bool(outcome), outcome.status) == (False, "disabled")
    assert await manager.load_session("s1") is None
    assert not await manager.health_check()
    cache = RedisExecutionCache(enabled=False, store=memory)
    assert (await cache.cache_result("e", {})).status == "disabled"
    assert (await cache.get_result("e"), await cache.get_flow_history("s", "f")) == (None, [])
    assert (await cache.list_executions("s")).status == "disabled"
    assert list(await memory.values().list()) == []
