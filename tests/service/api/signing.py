"""Tokens as an identity provider signs them, good ones and forged ones, and the address where its public keys are."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a secret of the tests, which is long enough for HS256"
ISSUER = "https://ada.example/auth/v1"
JSON = Any
"""What a token says; a test gives what it likes."""


def claims_of(user: str, *, teams: JSON = None, **changes: JSON) -> dict[str, JSON]:
    """Return the claims of a good token; a change to None leaves a claim out."""
    now = int(time.time())
    claims = {
        "sub": user,
        "aud": "authenticated",
        "iss": ISSUER,
        "iat": now,
        "exp": now + 600,
        "role": "authenticated",
        "app_metadata": {"provider": "email", **({} if teams is None else {"teams": teams})},
        "user_metadata": {"teams": ["a team that the user wrote"]},
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def sign(user: str, *, secret: str = SECRET, **changes: JSON) -> str:
    """Return a token signed with HS256."""
    return jwt.encode(claims_of(user, **changes), secret, "HS256")


def bearer(token: str) -> dict[str, str]:
    """Return the header that sends a token."""
    return {"authorization": f"Bearer {token}"}


def segment(value: JSON) -> str:
    """Return a part of a token that no library would write."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class Signer:
    """A key pair of an identity provider: ES256, or RS256."""

    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    def sign(self, user: str, *, kid: str | None = None, **changes: JSON) -> str:
        """Return a token."""
        return jwt.encode(claims_of(user, **changes), self._key, self.algorithm, {"kid": kid or self.kid})

    def public_pem(self) -> bytes:
        """Return the public key as text, which an attacker has too."""
        pem: bytes = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def jwk(self) -> dict[str, JSON]:
        """Return the public key as a JWKS has it."""
        kind = ECAlgorithm if self.algorithm == "ES256" else RSAAlgorithm
        return {**kind.to_jwk(self._key.public_key(), as_dict=True), "kid": self.kid, "use": "sig", "alg": self.algorithm}


class KeyServer:
    """A real HTTP server that gives a JWKS, counts who asks, and can be told to fail."""

    def __init__(self) -> None:
        self.keys: list[dict[str, JSON]] = []
        self.body: bytes | None = None
        self.status = 200
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                body = json.dumps({"keys": outer.keys}).encode() if outer.body is None else outer.body
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/.well-known/jwks.json"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
