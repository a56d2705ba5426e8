"""From a URL to an open store: the table of schemes, and nothing else.

A backend is imported only when its scheme is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final
from urllib.parse import urlsplit

from .backend import Backend
from .errors import InvalidError, UnavailableError

_REDIS: Final = "clew.backends.redis"
_SQLITE: Final = "clew.backends.sqlite"
SCHEMES: Final = {
    "sqlite": _SQLITE,
    "memory": _SQLITE,
    "redis": _REDIS,
    "rediss": _REDIS,
    "unix": _REDIS,
    "redis+cluster": _REDIS,
    "rediss+cluster": _REDIS,
    "redis+sentinel": _REDIS,
    "rediss+sentinel": _REDIS,
    "valkey": _REDIS,
    "valkeys": _REDIS,
    "valkey+cluster": _REDIS,
    "valkeys+cluster": _REDIS,
    "valkey+sentinel": _REDIS,
    "valkeys+sentinel": _REDIS,
}
"""The schemes clew knows, and the module whose `open_backend(url)` opens each."""


def scheme_of(url: str) -> str:
    """Return the scheme of a store's URL; InvalidError, without any of it, where it cannot be read."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        # Without its cause, which may show a password.
        raise InvalidError("the store's URL cannot be read: escape special characters, as %40 for @") from None


async def open_backend(url: str) -> Backend:
    """Open the backend that `url` names, and prove that it answers.

    Raises:
        InvalidError: an unknown scheme or a bad option.
        MissingExtraError: the scheme needs an extra that is not installed.
        UnavailableError, DeniedError, UnsupportedError: the store does not answer, or cannot be used.
    """
    scheme = scheme_of(url)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise InvalidError(f"unknown store {scheme + '://' if scheme else 'URL without a scheme'}: use one of {known}")
    if "metrics=" in url or "tracing=" in url:
        observing = import_module("clew.wrappers.observing")
        plain, options = observing.take_options(url)
        observers = observing.make_observers(plain, options)
        # Around all else: what is told is what whoever calls waits for.
        seen: Backend = observing.observe(await _open_coded(scheme, plain), observers)
        return seen
    return await _open_coded(scheme, url)


def observed_url(url: str, *, metrics: bool, tracing: bool) -> str:
    """Return the URL with what the settings say of metrics and tracing, where it does not say it itself."""
    if not (metrics or tracing):
        return url
    observing = import_module("clew.wrappers.observing")
    found: str = observing.with_options(url, observing.Options(metrics, tracing))
    return found


async def _open_coded(scheme: str, url: str) -> Backend:
    if "encryption_" not in url and "compress=" not in url:
        return await _open_inner(scheme, url)
    wrappers = import_module("clew.wrappers")
    plain, options = wrappers.take_options(url)
    coding = None if options is None else wrappers.make_coding(options)
    # Around the journal too: what waits there is on this machine's disk.
    backend = await _open_inner(scheme, plain)
    if coding is None:
        return backend
    coded: Backend = wrappers.wrap(backend, options, coding)
    return coded


async def _open_inner(scheme: str, url: str) -> Backend:
    opener: Callable[[str], Awaitable[Backend]] = import_module(SCHEMES[scheme]).open_backend
    if not any(f"{name}=" in url for name in ("on_outage", "journal", "journal_bytes")):
        return await opener(url)
    journal = import_module("clew.wrappers.journal")
    plain, options = journal.take_options(url)
    try:
        backend = await opener(plain)
    except UnavailableError:
        make: Callable[[str], Backend] | None = getattr(import_module(SCHEMES[scheme]), "make_backend", None)
        if options is None or make is None:
            raise
        # Just then the journal is needed, also by a process that starts again.
        backend = make(plain)
    if options is None:
        return backend
    try:
        wrapped: Backend = await journal.open_journal(backend, plain, options)
    except BaseException:
        await backend.aclose()
        raise
    return wrapped
