"""Bearer tokens as Supabase issues them: JWTs signed with a shared secret (HS256), or with a key of a JWKS (ES256, RS256).

The token never chooses how it is verified: HS256 goes with the secret only, the others with public keys only, and `none` never.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt

from ..errors import InvalidError
from ..settings import Access
from .identity import Identity, UnauthorizedError, check_name, check_teams
from .jwks import ALGORITHMS, KeySet

MOST_BYTES: Final = 8 * 1024
_NEEDED: Final = ["exp", "sub"]


class Tokens:
    """Verifies the tokens of one issuer."""

    def __init__(self, access: Access, keys: KeySet | None = None) -> None:
        self._access = access
        self._keys = keys if keys is not None or access.jwks_url is None else KeySet(access.jwks_url)

    async def identify(self, token: str) -> Identity:
        """Return whose token it is.

        Raises:
            UnauthorizedError: it does not hold: the message says why, and holds nothing of it.
            UnavailableError: the keys to verify it with cannot be had.
        """
        if len(token) > MOST_BYTES:
            raise UnauthorizedError("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise UnauthorizedError("this is no token") from error
        algorithm = header.get("alg")
        key = await self._key_for(algorithm, header.get("kid"))
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
        except jwt.PyJWTError as error:
            raise UnauthorizedError(_why(error)) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UnauthorizedError("the token's claims are malformed") from error
        return self._read(claims)

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
