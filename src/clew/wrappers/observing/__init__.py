"""`metrics=on` and `tracing=on`: a store whose operations are counted for Prometheus, and seen as spans of OpenTelemetry.

Each is an extra, and a wrapper that stands around all others. Where neither is asked for there is none, and nothing is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ...backend import Backend
from ...errors import InvalidError
from ..queries import split_options
from .observed import Observed, Observer, observed

__all__ = ["Observed", "Observer", "Options", "bare", "observe", "observed", "take_options", "with_options"]

NAMES: Final = ("metrics", "tracing")
_ENGINES: Final = {"rediss": "redis", "unix": "redis", "valkeys": "valkey"}


class Options(NamedTuple):
    """What a URL says of sight."""

    metrics: bool = False
    tracing: bool = False


def take_options(url: str) -> tuple[str, Options]:
    """Return the URL without these options, and what they say.

    Raises:
        InvalidError: one is said twice, or is neither on nor off.
    """
    plain, found = split_options(url, NAMES)
    for name, text in found.items():
        if text not in ("on", "off"):
            raise InvalidError(f"{name} must be on or off")
    return plain, Options(**{name: text == "on" for name, text in found.items()})


def with_options(url: str, options: Options) -> str:
    """Return the URL with these options, where it does not say them itself."""
    head, mark, fragment = url.partition("#")
    named = {part.partition("=")[0] for part in head.partition("?")[2].split("&")}
    added = [f"{name}=on" for name, wanted in zip(NAMES, options, strict=True) if wanted and name not in named]
    return url if not added else f"{head}{'&' if '?' in head else '?'}{'&'.join(added)}{mark}{fragment}"


def make_observers(url: str, options: Options) -> Sequence[Observer]:
    """Return those that are asked for, for the store that a URL without options names.

    Raises:
        MissingExtraError: the library for one is not installed.
    """
    found: list[Observer] = []
    scheme = urlsplit(url).scheme.partition("+")[0]
    engine = _ENGINES.get(scheme, scheme)
    if options.metrics:
        # Here and not above: only who counts needs the library, and so with spans.
        from .metrics import StoreMetrics

        found.append(StoreMetrics(engine))
    if options.tracing:
        from .tracing import StoreTracing

        found.append(StoreTracing(engine, url))
    return found


def observe(backend: Backend, observers: Sequence[Observer]) -> Backend:
    """Return a backend around an open one, the first observer next to it."""
    for each in observers:
        backend = observed(backend, each)
    return backend


def bare(backend: Backend) -> Backend:
    """Return the backend without those who observe it."""
    while isinstance(backend, Observed):
        backend = backend.inner
    return backend
