"""What the environment says, by the names of both branches of the founding system, and how a manager reaches its store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from ...errors import InvalidError
from ...limits import check_id
from ...settings import DEFAULT, Settings, mask_url

SESSION_TTL_S: Final = 86_400
EXECUTION_TTL_S: Final = 3_600
KEY_PREFIX: Final = "agentic_flywheel"
TIMEOUT_S: Final = 2.0
"""After which a call gives up, where the URL has no time-out of its own."""
KINDS: Final = ("session", "execution", "history", "meta")
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TRUE: Final = ("true", "1", "yes", "on")
_FALSE: Final = ("false", "0", "no", "off")


class RedisConfig(dict[str, Any]):
    """The settings, as a dict that its founding system's users know; printed, it shows no password."""

    @staticmethod
    def from_env(environ: Mapping[str, str] | None = None) -> RedisConfig:
        """Return the settings of an environment, by the names that both branches give them.

        Args:
            environ: the variables; those of the process for None. An empty one counts as one that is not set.

        Returns:
            enabled, ttl_seconds (also as session_ttl), execution_ttl, key_prefix, environment, host, port, url.

        Raises:
            InvalidError: a value that cannot be used; the message names the variable.
        """
        found = {name: text for name, text in (os.environ if environ is None else environ).items() if text}
        enabled = _switch(found, "REDIS_ENABLED", "REDIS_STATE_ENABLED")
        session = _seconds(found, SESSION_TTL_S, "REDIS_TTL_SECONDS", "REDIS_SESSION_TTL_SECONDS")
        port = found.get("REDIS_PORT", "6379")
        return RedisConfig(
            enabled=enabled,
            ttl_seconds=session,
            session_ttl=session,
            execution_ttl=_seconds(found, EXECUTION_TTL_S, "REDIS_EXECUTION_TTL_SECONDS"),
            key_prefix=found.get("REDIS_KEY_PREFIX", KEY_PREFIX),
            environment=found.get("REDIS_KEY_ENVIRONMENT"),
            host=found.get("REDIS_HOST", "localhost"),
            # Kubernetes sets REDIS_PORT=tcp://... for a service of that name: that says nothing about us.
            port=int(port) if port.isdecimal() else 6379,
            url=choose_url(environ=found),
        )

    def __repr__(self) -> str:
        shown = {name: mask_url(value) if name == "url" and isinstance(value, str) else value for name, value in self.items()}
        shown |= {"password": "***"} if shown.get("password") else {}
        return f"RedisConfig({shown!r})"


def choose_url(
    url: str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    db: int | None = None,
    password: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return the store's URL with a time-out: the one given, else what host, port, db and password say, else the environment's.

    Without any of them it is `redis://localhost:6379/0`.

    Raises:
        InvalidError: a URL beside host, port, db or password, or a value that cannot be used.
    """
    given = {"host": host, "port": port, "db": db, "password": password}
    if url is not None:
        if any(value is not None for value in given.values()):
            raise InvalidError("the store is named by its url or by host, port, db and password: leave one of them out")
        return _with_timeout(url)
    if any(value is not None for value in given.values()):
        parts = {f"REDIS_{name.upper()}": str(value) for name, value in given.items() if value is not None}
        return _with_timeout(Settings.from_env(parts, None).url)
    settings = Settings.from_env(environ)
    if settings.source == DEFAULT:
        # By the settings too: they say what is done while it is away.
        settings = Settings.from_env({**(os.environ if environ is None else environ), "CLEW_URL": "redis://localhost:6379/0"})
    return _with_timeout(settings.url)


def key_prefix_of(prefix: str, environment: str | None) -> str:
    """Return how every key begins: `<prefix>:`, or `<prefix>:<environment>:`.

    Raises:
        InvalidError: an empty prefix; an environment that is no plain word, or that reads as a kind of key.
    """
    check_id(prefix, "the key prefix")
    if environment is None:
        return f"{prefix}:"
    if not isinstance(environment, str) or not _ENVIRONMENT.fullmatch(environment) or environment in KINDS:
        raise InvalidError(f"the environment is a word of letters, digits, _, . and -, as prod, and none of {', '.join(KINDS)}")
    return f"{prefix}:{environment}:"


def _with_timeout(url: str) -> str:
    if not isinstance(url, str) or "://" not in url:
        raise InvalidError("the url has no scheme: write redis://host:6379/0, sqlite:///file.db or another that clew knows")
    if re.search(r"[?&]timeout=", url):
        return url
    return f"{url}{'&' if '?' in url else '?'}timeout={TIMEOUT_S:g}"


def _switch(found: Mapping[str, str], *names: str) -> bool:
    said = {}
    for name in names:
        text = found.get(name, "").strip().lower()
        if text in _TRUE or text in _FALSE:
            said[name] = text in _TRUE
        elif text:
            raise InvalidError(f"{name} must be true or false, not {found[name]!r}")
    # Who switches it off by either name means it.
    return all(said.values())


def _seconds(found: Mapping[str, str], default: int, *names: str) -> int:
    for name in names:
        if name in found:
            text = found[name].strip()
            if not (text.isdecimal() and 0 < int(text) <= 100 * 366 * 86_400):
                raise InvalidError(f"{name} must be a whole number of seconds, from 1 to 100 years, not {found[name]!r}")
            return int(text)
    return default
