"""Tokens: the good ones come in, and no other one does, whatever it says of itself."""

from __future__ import annotations

import hashlib
import hmac
import time

import jwt
import pytest

from clew.errors import InvalidError
from clew.settings import Settings

from ...support import wait_until
from .conftest import THREADS, Api, Serve, make_thread, problem
from .signing import ISSUER, SECRET, KeyServer, Signer, bearer, claims_of, segment, sign


def refused_tokens() -> dict[str, str]:
    """Return tokens that do not hold, by what is wrong with them, as of now."""
    now = int(time.time())
    none = f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims_of('ada'))}."
    return {
        "expired": sign("ada", exp=now - 120),
        "not valid yet": sign("ada", nbf=now + 300),
        "issued in the future": sign("ada", iat=now + 300),
        "for another audience": sign("ada", aud="anon"),
        "for no audience": sign("ada", aud=None),
        "of another issuer": sign("ada", iss="https://eve.example"),
        "without an end": sign("ada", exp=None),
        "without a subject": sign("ada", sub=None),
        "with an empty subject": sign("ada", sub=""),
        "with a subject that is none": sign("ada", sub="x" * 257),
        "with a subject of the service's own": sign("clew:keys"),
        "with an end that is none": sign("ada", exp="soon"),
        "signed with another secret": sign("ada", secret="another secret, which is just as long as it has to be"),
        "signed in another way": jwt.encode(claims_of("ada"), SECRET * 2, "HS512"),
        "not signed": none,
        "not signed, in capitals": none.replace(segment({"alg": "none", "typ": "JWT"}), segment({"alg": "NONE"})),
        "without its signature": sign("ada").rpartition(".")[0] + ".",
        "with teams that are no list": sign("ada", teams="staff"),
        "with teams of the service's own": sign("ada", teams=["clew:keys"]),
        "too long": sign("ada", note="x" * 9000),
        "no token": "nonsense",
        "deeply nested": f"{segment(b'[' * 3000)}.{segment({})}.x",
        "a header that is no object": f"{segment([1])}.{segment({})}.x",
        "a key's id that is no text": f"{segment({'alg': 'HS256', 'kid': {}})}.{segment(claims_of('ada'))}.x",
    }


async def test_a_token_that_does_not_hold_is_refused(lone: Api) -> None:
    for why, token in refused_tokens().items():
        reply = await lone.nobody.get(THREADS, headers=bearer(token))
        assert (why, reply.status_code, problem(reply)) == (why, 401, "unauthorized")
        assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert SECRET not in reply.text


async def test_a_token_that_was_changed_is_refused(lone: Api) -> None:
    header, _, signature = sign("ada").split(".")
    reply = await lone.nobody.get(THREADS, headers=bearer(f"{header}.{segment(claims_of('eve'))}.{signature}"))
    assert reply.status_code == 401


async def test_another_header_than_a_bearers_is_refused(lone: Api) -> None:
    for value in ("Basic YWRhOmFkYQ==", "bearer", "Token x", "Bearer \xe9", "Bearer a b", ""):
        reply = await lone.nobody.get(THREADS, headers={b"authorization": value.encode("latin-1")})
        assert (value, reply.status_code) == (value, 401)
        is_token = value.startswith("Bearer ")
        assert reply.headers["www-authenticate"] == ('Bearer error="invalid_token"' if is_token else "Bearer")


async def test_nothing_but_what_is_open_is_told_to_nobody(lone: Api) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json", "/", "/static/wire.js", "/problems/gone"):
        assert (await lone.nobody.get(path)).status_code == 200, path
    asks = ["/api/v1/threads", "/api/v1/threads/x", "/api/v1/attachments/x", "/nothing/here", "/static"]
    for path in asks:
        reply = await lone.nobody.get(path)
        assert (path, reply.status_code, reply.headers["www-authenticate"]) == (path, 401, "Bearer")
    assert (await lone.nobody.post("/chatkit", content=b"{}")).status_code == 401
    # Neither does a way around lead in.
    assert (await lone.nobody.get("/static/../api/v1/threads")).status_code in (401, 404)
    assert (await lone.nobody.get("/static/%2e%2e/api/v1/threads")).status_code in (401, 404)


async def test_two_headers_are_no_choice(lone: Api) -> None:
    headers = [("authorization", f"Bearer {sign('eve')}"), ("authorization", f"Bearer {sign('ada')}")]
    assert (await lone.nobody.get(THREADS, headers=headers)).status_code == 401


async def test_a_token_within_the_leeway_comes_in_and_the_leeway_can_be_set(serve: Serve) -> None:
    late = bearer(sign("ada", exp=int(time.time()) - 10))
    assert (await (await serve()).nobody.get(THREADS, headers=late)).status_code == 200
    assert (await (await serve(CLEW_JWT_LEEWAY="0")).nobody.get(THREADS, headers=late)).status_code == 401


# -- public keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_token_signed_with_a_key_of_the_jwks_comes_in(serve: Serve, key_server: KeyServer, algorithm: str) -> None:
    signer = Signer("one", algorithm)
    key_server.keys = [signer.jwk()]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    for _ in range(5):
        reply = await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))
        assert reply.status_code == 200, reply.text
    assert key_server.asked == 1
    stranger = Signer("one", algorithm)
    assert (await api.nobody.get(THREADS, headers=bearer(stranger.sign("ada")))).status_code == 401
    assert (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada", exp=int(time.time()) - 100)))).status_code == 401


async def test_a_public_key_is_no_secret(serve: Serve, key_server: KeyServer) -> None:
    signer = Signer("one", "RS256")
    key_server.keys = [signer.jwk()]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    head = segment({"alg": "HS256", "typ": "JWT", "kid": "one"})
    text = f"{head}.{segment(claims_of('ada'))}"
    for pem in (signer.public_pem(), signer.public_pem().strip()):
        forged = segment(hmac.digest(pem, text.encode(), hashlib.sha256))
        assert (await api.nobody.get(THREADS, headers=bearer(f"{text}.{forged}"))).status_code == 401


async def test_a_key_is_used_with_its_own_algorithm_only(serve: Serve, key_server: KeyServer) -> None:
    signer = Signer("one", "RS256")
    other = {**signer.jwk(), "kid": "two", "use": "enc"}
    secret = {"kty": "oct", "k": segment(SECRET.encode()), "kid": "three", "alg": "HS256"}
    key_server.keys = [signer.jwk(), other, secret, {"kty": "EC", "crv": "nonsense", "kid": "four"}]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    for kid in ("two", "three", "four", "nobody"):
        assert (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada", kid=kid)))).status_code == 401
    assert (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))).status_code == 200


async def test_a_key_that_is_rotated_in_mid_run_counts_at_once(
    serve: Serve, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.service.jwks.PAUSE_S", 0.05)
    monkeypatch.setattr("clew.service.jwks.KEEP_S", 0.5)
    old, new = Signer("old"), Signer("new")
    key_server.keys = [old.jwk()]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    assert (await api.nobody.get(THREADS, headers=bearer(old.sign("ada")))).status_code == 200
    key_server.keys = [new.jwk()]

    async def is_in(signer: Signer) -> bool:
        return (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))).status_code == 200

    await wait_until(lambda: is_in(new), 2)
    # The old one is taken away, so what it signed holds no more.
    assert not await is_in(old)


async def test_forged_key_ids_do_not_make_us_ask_for_each(serve: Serve, key_server: KeyServer) -> None:
    signer = Signer("one")
    key_server.keys = [signer.jwk()]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    for number in range(30):
        token = signer.sign("ada", kid=f"made up {number}")
        assert (await api.nobody.get(THREADS, headers=bearer(token))).status_code == 401
    assert key_server.asked <= 2


async def test_where_the_keys_are_away_nobody_is_called_a_forger(
    serve: Serve, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.service.jwks.PAUSE_S", 0.0)
    monkeypatch.setattr("clew.service.jwks.KEEP_S", 0.0)
    signer = Signer("one")
    key_server.keys = [signer.jwk()]
    api = await serve(CLEW_JWKS_URL=key_server.url)
    for status, body in ((500, None), (302, None), (200, b"no keys"), (200, b'{"keys": 1}')):
        key_server.status, key_server.body = status, body
        reply = await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))
        assert (problem(reply), reply.status_code) == ("unavailable", 503)
    key_server.status, key_server.body = 200, None
    assert (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))).status_code == 200
    # The last keys go on while their address is away.
    key_server.status = 500
    assert (await api.nobody.get(THREADS, headers=bearer(signer.sign("ada")))).status_code == 200


# -- settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"CLEW_JWT_SECRET": "short"}, "32 bytes"),
        ({"CLEW_JWKS_URL": "http://keys.example/jwks.json"}, "https"),
        ({"CLEW_JWKS_URL": "file:///etc/keys"}, "https"),
        ({"CLEW_JWKS_URL": "https://[bad"}, "https"),
        ({"CLEW_AUTH": "off"}, "token or none"),
        ({"CLEW_AUTH": "none", "CLEW_JWT_SECRET": SECRET}, "no token is taken"),
        ({"CLEW_JWT_TEAMS": "user_metadata.teams"}, "user_metadata"),
        ({"CLEW_JWT_LEEWAY": "long"}, "CLEW_JWT_LEEWAY"),
        ({"CLEW_RATE": "nan"}, "CLEW_RATE"),
        ({"CLEW_MAX_BODY": "-1"}, "CLEW_MAX_BODY"),
    ],
)
def test_a_setting_that_would_not_be_safe_is_refused(variables: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidError, match=why):
        Settings.from_env(variables, None)


def test_a_secret_is_never_shown() -> None:
    settings = Settings.from_env({"CLEW_JWT_SECRET": SECRET, "CLEW_JWT_ISSUER": ISSUER}, None)
    assert SECRET not in repr(settings)
    assert settings.access.mode == "token"


# -- whose it is --------------------------------------------------------------------------------------------------------


async def test_the_page_and_chatkit_are_of_whoever_asks_too(lone: Api) -> None:
    listing = {"type": "threads.list", "params": {"limit": 10, "order": "desc", "after": None}}
    mine = await make_thread(lone.ada, title="Mine")
    assert mine in (await lone.ada.post("/chatkit", json=listing)).text
    assert mine not in (await lone.eve.post("/chatkit", json=listing)).text
