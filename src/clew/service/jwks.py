"""The public keys behind a JWKS address: fetched when first needed, kept for a while, and anew when a token names another one.

A key that is taken away counts no more after `KEEP_S`, and one that is added counts at once. Forged key ids cost at most one
fetch every `PAUSE_S`. While the address is away, the keys that were there last go on for `STALE_S`; without any, the answer is
UnavailableError, never "not valid".
"""

from __future__ import annotations

import asyncio
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import IO, Any, Final
from urllib.parse import urlsplit

import jwt
import msgspec

from ..errors import UnavailableError

logger = logging.getLogger("clew.service")

KEEP_S: Final = 300.0
STALE_S: Final = 3600.0
PAUSE_S: Final = 2.0
TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 1024 * 1024
ALGORITHMS: Final = ("ES256", "RS256")
"""The only ones a public key may be used with, each with keys of its own kind."""

Fetch = Callable[[str], bytes]


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        fp.close()
        raise UnavailableError("the address of the keys sends elsewhere: set CLEW_JWKS_URL to where they are")


def fetch(url: str) -> bytes:
    """Return what stands at an address. Blocks; UnavailableError where it cannot be had."""
    local = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    opener = urllib.request.build_opener(_Straight, *proxies)
    try:
        with opener.open(urllib.request.Request(url, headers={"accept": "application/json"}), timeout=TIMEOUT_S) as response:
            body: bytes = response.read(MOST_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            # It is an answer too, with a connection.
            error.close()
        raise UnavailableError(f"the keys of the tokens cannot be fetched ({type(error).__name__}): try again") from error
    if len(body) > MOST_BYTES:
        raise UnavailableError("the list of keys is too long to be one")
    return body


class KeySet:
    """The keys of one address, for the tasks of one event loop."""

    def __init__(self, url: str, *, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched = self._tried = float("-inf")
        self._why: UnavailableError | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key with this id for this algorithm; without an id, the only key for it; None where there is none.

        Raises:
            UnavailableError: the keys cannot be had.
        """
        if self._clock() - self._fetched >= KEEP_S:
            await self._renew()
        if self._clock() - self._fetched >= STALE_S:
            raise self._why or UnavailableError("the keys of the tokens cannot be fetched: try again")
        found = self._pick(kid, algorithm)
        if found is None and kid is not None:
            await self._renew()
            found = self._pick(kid, algorithm)
        return found

    def _pick(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if key.algorithm_name == algorithm and (kid is None or key.key_id == kid)]
        return fitting[0] if len(fitting) == 1 else None

    async def _renew(self) -> None:
        """Fetch the keys, once for all who wait, and not more often than every `PAUSE_S`."""
        if self._fetching is None:
            if self._clock() - self._tried < PAUSE_S:
                return
            self._fetching = asyncio.create_task(self._load())
        await asyncio.shield(self._fetching)

    async def _load(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = read_keys(await asyncio.to_thread(self._fetch, self._url))
            self._fetched, self._why = self._clock(), None
        except UnavailableError as error:
            self._why = error
            logger.warning("the keys of the tokens could not be renewed: %s", error)
        finally:
            self._fetching = None


def read_keys(text: bytes) -> list[jwt.PyJWK]:
    """Return the signing keys of a JWKS; those of other kinds are left out. UnavailableError where it is none."""
    try:
        found = msgspec.json.decode(text, type=_Set).keys
    except msgspec.DecodeError as error:
        raise UnavailableError("what stands at the address of the keys is no JWKS") from error
    keys = []
    for each in found:
        if each.get("use", "sig") != "sig" or each.get("kty") not in ("EC", "RSA"):
            continue
        try:
            key = jwt.PyJWK(each)
        except jwt.PyJWTError as error:
            logger.warning("a key of the JWKS cannot be used: %s", type(error).__name__)
            continue
        if key.algorithm_name in ALGORITHMS:
            keys.append(key)
    return keys
