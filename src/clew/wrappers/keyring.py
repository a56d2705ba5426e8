"""AES-256 keys by their ids: what is written is sealed with the newest one, and opened with the one that it names.

A frame is SEALED, a version, the key's id, the nonce, and what AES-GCM made of the data, bound to its place. The nonce is a keyed
hash of place and data: so the same data in the same place is the same frame, which conditions on stored bytes and repeated calls
need, and two different ones have the same nonce no more often than if it were drawn at random.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from ..errors import InvalidError, MissingExtraError, UnreadableError
from ..frames import SEALED

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as e:
    raise MissingExtraError("encryption", "encryption") from e

__all__ = ["NONCE_BYTES", "InvalidTag", "Key", "Keyring", "explain_refusal", "read_key_id"]

VERSION: Final = 1
"""Of the frame: what this code writes, and the newest it reads."""
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_HOW: Final = "give keys as id:base64, the newest first, each of 32 random bytes (openssl rand -base64 32)"


class Key:
    """One key: its id, and the ciphers that are made from its secret."""

    def __init__(self, id: str, secret: bytes) -> None:
        if not _ID.fullmatch(id):
            raise InvalidError("the id of an encryption key is from 1 to 32 of the characters A-Z a-z 0-9 _ . -")
        if len(secret) != KEY_BYTES:
            raise InvalidError(f"the encryption key {id!r} has {len(secret)} bytes instead of {KEY_BYTES}: {_HOW}")
        self.id = id
        self.header = SEALED + bytes((VERSION, len(id))) + id.encode()
        # A key of its own for each use.
        cipher = AESGCM(hmac.digest(secret, b"clew: AES-256-GCM", "sha256"))
        self.encrypt, self.decrypt = cipher.encrypt, cipher.decrypt
        self._hashing = hmac.digest(secret, b"clew: nonces and digests", "sha256")
        self._filing = hmac.digest(secret, b"clew: files", "sha256")

    def hash(self, place: bytes, data: bytes) -> bytes:
        """Return 32 bytes that nobody can tell from random ones without the key."""
        return blake2b(b"%d:%b%b" % (len(place), place, data), digest_size=32, key=self._hashing).digest()

    def make_cipher(self, salt: bytes) -> AESGCM:
        """Return the cipher of one file: another one for each salt."""
        return AESGCM(hmac.digest(self._filing, salt, "sha256"))


class Keyring:
    """Some keys, the newest first.

    Attributes:
        newest: what is written with.
        keys: all of them by id.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise InvalidError(f"there is no encryption key: {_HOW}")
        self.newest = keys[0]
        self.keys = {key.id: key for key in keys}
        if len(self.keys) < len(keys):
            raise InvalidError("two encryption keys have the same id: give each an id of its own")

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Return the keys that a text lists: `id:base64`, separated by commas or white space; `#` begins a comment.

        Raises:
            InvalidError: it is none; the message holds no secret.
        """
        words = " ".join(line.partition("#")[0] for line in text.splitlines()).replace(",", " ").split()
        return cls([_parse_key(word) for word in words])

    def describe(self, *, takes_plain: bool) -> str:
        """Return for people how is encrypted, and what is read."""
        others = [id for id in self.keys if id != self.newest.id]
        reads = f"; reads {', '.join(others)} too" if others else ""
        plain = "" if takes_plain else "; refuses what is plain"
        return f"AES-256-GCM, writes with the key {self.newest.id}{reads}{plain}"

    def seal(self, place: bytes, data: bytes) -> bytes:
        """Return the frame of `data` in its place."""
        key = self.newest
        nonce = key.hash(place, data)[:NONCE_BYTES]
        return key.header + nonce + key.encrypt(nonce, data, key.header + place)

    def open(self, place: bytes, frame: bytes) -> bytes:
        """Return the data of a frame.

        Raises:
            UnreadableError: its key is not here, or is another one of this id; it was changed, cut off, or moved here.
        """
        key = self.find(read_key_id(frame))
        start = len(key.header)
        end = start + NONCE_BYTES
        try:
            return key.decrypt(frame[start:end], frame[end:], key.header + place)
        except (InvalidTag, ValueError) as e:
            raise UnreadableError(explain_refusal(key.id, "record")) from e

    def find(self, id: str) -> Key:
        """Return the key of an id; UnreadableError where it is not here."""
        key = self.keys.get(id)
        if key is None:
            raise UnreadableError(
                f"it is encrypted with the key {id!r}, which is not there: add that key to CLEW_ENCRYPTION_KEYS, after the newest"
            )
        return key


def explain_refusal(id: str, what: str) -> str:
    """Return what to do where a key is there, and does not open what names it."""
    return (
        f"it cannot be decrypted with the key {id!r}: give the key that had this id when it was written; "
        f"if that is this one, the {what} was changed, cut off, or moved here from another place"
    )


def read_key_id(frame: bytes) -> str:
    """Return the id of the key that a frame was sealed with; UnreadableError where it is no whole frame."""
    if len(frame) < 4 or len(frame) < 4 + frame[3] + NONCE_BYTES + TAG_BYTES:
        raise UnreadableError("it is encrypted, and was cut off: take it from a backup")
    if frame[2] != VERSION:
        raise UnreadableError(f"it is encrypted in format {frame[2]}, newer than {VERSION}: upgrade clew to read it")
    return frame[4 : 4 + frame[3]].decode("ascii", "replace")


def _parse_key(word: str) -> Key:
    id, colon, text = word.partition(":")
    if not colon:
        raise InvalidError(f"an encryption key has no id: {_HOW}")
    try:
        secret = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidError(f"an encryption key is no base64: {_HOW}") from None
    return Key(id, secret)
