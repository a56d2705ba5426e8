"""A worker remembers the tokens that held, and lets nobody in by that who would not come in without it."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from clew.errors import UnavailableError
from clew.service.identity import UnauthorizedError
from clew.service.jwks import KEEP_S, STALE_S, KeySet
from clew.service.tokens import Tokens
from clew.settings import Access

from ...support import wait_until
from .signing import ISSUER, SECRET, Signer, segment, sign

ACCESS = Access("token", SECRET, issuer=ISSUER, leeway=0)
JWKS = "https://ada.example/jwks.json"


class Provider:
    """What gives the keys, and the clock that they are kept by."""

    def __init__(self, *signers: Signer) -> None:
        self.signers: tuple[Signer, ...] | None = signers
        self.now = 1000.0
        keys = KeySet(JWKS, fetch=self._fetch, clock=lambda: self.now)
        self.tokens = Tokens(Access("token", None, JWKS, issuer=ISSUER), keys)

    def _fetch(self, url: str) -> bytes:
        if self.signers is None:
            raise UnavailableError("the provider is away")
        return json.dumps({"keys": [signer.jwk() for signer in self.signers]}).encode()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that were verified by their signatures."""
    seen: list[str] = []
    decode = jwt.decode

    def note(token: str, *args: Any, **more: Any) -> Any:  # passed on to PyJWT
        seen.append(token)
        return decode(token, *args, **more)

    monkeypatch.setattr(jwt, "decode", note)
    return seen


async def test_a_signature_that_held_is_computed_once(counted: list[str]) -> None:
    tokens, token = Tokens(ACCESS), sign("ada", teams=["staff"])
    first = await tokens.identify(token)
    assert (first.user, first.teams) == ("ada", ("staff",))
    assert [await tokens.identify(token) for _ in range(3)] == [first] * 3
    assert counted == [token]


async def test_a_remembered_token_is_refused_from_its_end_on() -> None:
    tokens, end = Tokens(ACCESS), int(time.time()) + 2
    token = sign("ada", exp=end)
    assert (await tokens.identify(token)).user == "ada"

    async def is_refused() -> bool:
        try:
            await tokens.identify(token)
        except UnauthorizedError:
            return True
        return False

    await wait_until(is_refused)
    assert time.time() >= end


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_remembered_token_is_verified_anew_where_the_clock_was_set_back(claim: str, counted: list[str]) -> None:
    moved = 0.0
    tokens, now = Tokens(ACCESS, clock=lambda: time.time() + moved), int(time.time())
    changes: dict[str, Any] = {"iat": now - 60, claim: now}
    token = sign("ada", **changes)
    await tokens.identify(token)
    moved = -30.0
    await tokens.identify(token)
    assert counted == [token, token]


async def test_another_token_than_the_remembered_one_is_verified() -> None:
    tokens, token = Tokens(ACCESS), sign("ada")
    await tokens.identify(token)
    header, claims, signature = token.split(".")
    last = "A" if signature[-2] != "A" else "B"
    for changed in (f"{header}.{claims}.", f"{header}.{claims}.{signature[:-2]}{last}{signature[-1]}", token[1:]):
        with pytest.raises(UnauthorizedError):
            await tokens.identify(changed)
    none = f"{segment({'alg': 'none', 'typ': 'JWT'})}.{claims}.{signature}"
    with pytest.raises(UnauthorizedError):
        await tokens.identify(none)


async def test_a_remembered_token_is_refused_when_its_key_is_rotated_away(counted: list[str]) -> None:
    old, new = Signer("old"), Signer("new")
    provider, token = Provider(old), old.sign("ada")
    for _ in range(2):
        assert (await provider.tokens.identify(token)).user == "ada"
    assert counted == [token]
    provider.signers = (new,)
    provider.now += KEEP_S
    with pytest.raises(UnauthorizedError, match="not known"):
        await provider.tokens.identify(token)


async def test_a_remembered_token_is_refused_when_another_key_takes_the_name_of_its_own() -> None:
    old, new = Signer("one"), Signer("one")
    provider, token = Provider(old), old.sign("ada")
    await provider.tokens.identify(token)
    provider.signers = (new,)
    provider.now += KEEP_S
    with pytest.raises(UnauthorizedError, match="signature"):
        await provider.tokens.identify(token)


async def test_a_remembered_token_does_not_outlive_the_keys_that_cannot_be_renewed() -> None:
    signer = Signer("one")
    provider, token = Provider(signer), signer.sign("ada")
    await provider.tokens.identify(token)
    provider.signers = None
    provider.now += KEEP_S
    assert (await provider.tokens.identify(token)).user == "ada"
    provider.now += STALE_S
    with pytest.raises(UnavailableError):
        await provider.tokens.identify(token)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, counted: list[str]) -> None:
    monkeypatch.setattr("clew.service.tokens.REMEMBERED", 2)
    tokens, several = Tokens(ACCESS), [sign(user) for user in ("ada", "bob", "eve")]
    for token in (*several, several[2], several[1], several[0]):
        await tokens.identify(token)
    assert counted == [*several, several[0]]
