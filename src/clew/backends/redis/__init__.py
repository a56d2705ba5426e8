"""Redis and Valkey, alone, behind Sentinel, or as a Cluster: the backend for production.

It promises what `clew.backend` says, on Redis 6.2 and later without modules. How long an acknowledged write outlives the
server's own death is the server's setting (`docs/backends/redis.md`), and `?replicas=` and `?fsync=` of the URL.
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import hiredis  # noqa: F401
    import redis  # noqa: F401
except ImportError as error:
    raise MissingExtraError("a Redis or Valkey store", "redis") from error

from .cataloguing import CatalogueVerbs
from .checkpoints_reading import CheckpointVerbs
from .collecting import CollectVerbs
from .describing import DescribeVerbs
from .erasing import EraseVerbs
from .nearest import NearestVerbs
from .options import parse_url
from .powers import Powers
from .runs import RunVerbs
from .splicing import SpliceVerbs

__all__ = ["RedisBackend", "open_backend"]


class RedisBackend(
    Powers, CheckpointVerbs, CatalogueVerbs, CollectVerbs, SpliceVerbs, NearestVerbs, RunVerbs, EraseVerbs, DescribeVerbs
):
    """Every verb and every optional power of `clew.backend`, on one URL."""


async def open_backend(url: str) -> RedisBackend:
    """Open the backend for a `redis://`-like URL, and prove that the server answers and can be used.

    Raises:
        InvalidError, UnavailableError, DeniedError, UnsupportedError.
    """
    backend = RedisBackend(parse_url(url), mask_place(url))
    await backend._client()
    return backend


def make_backend(url: str) -> RedisBackend:
    """Return the same without asking the server: the first call connects. For who goes on while the server is away."""
    return RedisBackend(parse_url(url), mask_place(url))


def mask_place(url: str) -> str:
    """Return the URL without credentials and options, for messages."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
