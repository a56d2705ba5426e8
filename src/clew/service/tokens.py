"""Bearer tokens as Supabase issues them: JWTs signed with a shared secret (HS256), or with a key of a JWKS (ES256, RS256).

The token never chooses how it is verified: HS256 goes with the secret only, the others with public keys only, and `none` never.
A signature that held under a key is not computed again while that very key is in use; the times of a token are held against
the clock at each request.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from ..errors import InvalidError
from ..settings import Access
from .identity import Identity, UnauthorizedError, check_name, check_teams
from .jwks import ALGORITHMS, KeySet

MOST_BYTES: Final = 8 * 1024
REMEMBERED: Final = 10_000
"""Tokens that one worker remembers."""
_NEEDED: Final = ["exp", "sub"]


@dataclass(frozen=True, slots=True)
class Held:
    """A token that was verified.

    Attributes:
        algorithm, kid: what its header says.
        key: what its signature held under.
        since, until: when it holds, in seconds since 1970; at `until` it does not.
    """

    identity: Identity
    algorithm: object
    kid: object
    key: Any  # as PyJWT takes it
    since: float
    until: float


class Tokens:
    """Verifies the tokens of one issuer."""

    def __init__(self, access: Access, keys: KeySet | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._access = access
        self._clock = clock
        self._held: OrderedDict[bytes, Held] = OrderedDict()
        self._keys = keys if keys is not None or access.jwks_url is None else KeySet(access.jwks_url)

    async def identify(self, token: str) -> Identity:
        """Return whose token it is.

        Raises:
            UnauthorizedError: it does not hold: the message says why, and holds nothing of it.
            UnavailableError: the keys to verify it with cannot be had.
        """
        # Not by itself: no memory of this process need hold what opens a door.
        digest = hashlib.sha256(token.encode()).digest()
        held = self._held.get(digest)
        # The key is looked for as if the token were new, so one that was rotated away, or is too old, counts no more.
        if (
            held is not None
            and held.since <= self._clock() < held.until
            and await self._key_for(held.algorithm, held.kid) is held.key
        ):
            return held.identity
        held = await self._verify(token)
        self._held[digest] = held
        self._held.move_to_end(digest)
        if len(self._held) > REMEMBERED:
            self._held.popitem(last=False)
        return held.identity

    async def _verify(self, token: str) -> Held:
        if len(token) > MOST_BYTES:
            raise UnauthorizedError("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise UnauthorizedError("this is no token") from error
        algorithm, kid = header.get("alg"), header.get("kid")
        key = await self._key_for(algorithm, kid)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                audience=self._access.audience or None,
                issuer=self._access.issuer,
                leeway=self._access.leeway,
                options={"require": _NEEDED, "verify_aud": bool(self._access.audience)},
            )
            # As PyJWT reads and compares them.
            since = max((int(claims[name]) for name in ("nbf", "iat") if name in claims), default=0) - self._access.leeway
            until = int(claims["exp"]) + self._access.leeway
        except jwt.PyJWTError as error:
            raise UnauthorizedError(_why(error)) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UnauthorizedError("the token's claims are malformed") from error
        return Held(self._read(claims), algorithm, kid, key, since, until)

    async def _key_for(self, algorithm: object, kid: object) -> Any:  # a secret or a public key, as PyJWT takes both
        if algorithm == "HS256" and self._access.secret is not None:
            return self._access.secret
        if algorithm in ALGORITHMS and self._keys is not None and (kid is None or isinstance(kid, str)):
            key = await self._keys.find(kid, str(algorithm))
            if key is None:
                raise UnauthorizedError("the token is signed with a key that is not known here")
            return key.key
        raise UnauthorizedError("the token is signed in a way that is not taken here")

    def _read(self, claims: Mapping[str, Any]) -> Identity:
        teams: Any = claims
        for name in self._access.teams:
            teams = teams.get(name) if isinstance(teams, Mapping) else None
        try:
            return Identity(
                user=check_name(claims["sub"], "the token's subject"),
                teams=() if teams is None else check_teams(teams, "the token's claim of teams"),
            )
        except InvalidError as error:
            raise UnauthorizedError(str(error)) from error


def _why(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired: sign in again"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is of another issuer"
        case jwt.MissingRequiredClaimError():
            return f"the token has no claim {error.claim!r}"
        case jwt.InvalidSignatureError():
            return "the token's signature does not hold"
        case _:
            return "the token does not hold"
