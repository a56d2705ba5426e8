"""Encryption and compression as options of a store's URL: what they say, and the URL without them.

encryption_secret   the keys, `id:base64` and a comma between them, the newest first; no URL that is shown has them
encryption_file     a file with such keys, one a line
encryption_plain    take (the default): what is not encrypted is read too; refuse
encryption_values   no (the default): literal values stay as they are, for other programs; yes
compress            yes, or the bytes from which something is compressed
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ..errors import DeniedError, InvalidError, UnavailableError
from .queries import split_options

OPTIONS: Final = ("encryption_secret", "encryption_file", "encryption_plain", "encryption_values", "compress")
_ABOVE: Final = 256
_MOST_ABOVE: Final = 1024 * 1024
_MAX_FILE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """What is to happen to bytes on their way to the store.

    Attributes:
        keys: the text that lists the keys; None: nothing is encrypted.
        takes_plain: whether what is not encrypted is read too.
        values: whether literal values are encrypted, and compressed, too.
        above: bytes from which something is compressed; None: nothing is.
    """

    keys: str | None = field(default=None, repr=False)
    takes_plain: bool = True
    values: bool = False
    above: int | None = None


def take_options(url: str) -> tuple[str, Options | None]:
    """Return the URL without these options, and what they say; None where they ask for nothing.

    Raises:
        InvalidError: one is said twice, or cannot be used.
        DeniedError, UnavailableError: the file of keys cannot be read.
    """
    rest, texts = split_options(url, OPTIONS)
    found = {name: unquote(text) for name, text in texts.items()}
    if not found:
        return url, None
    keys = _read_keys(found)
    plain = _choose(found, "encryption_plain", "take", "refuse")
    values = _choose(found, "encryption_values", "no", "yes")
    if keys is None and ("encryption_plain" in found or "encryption_values" in found):
        raise InvalidError("the store's URL says how to encrypt, and has no keys: set CLEW_ENCRYPTION_KEYS")
    options = Options(keys, plain == "take", values == "yes", _read_above(found.get("compress", "no")))
    return rest, None if options == Options() else options


def _read_keys(found: dict[str, str]) -> str | None:
    if "encryption_secret" in found and "encryption_file" in found:
        raise InvalidError("the encryption keys are given twice, and in a file: leave one of them out")
    if "encryption_file" not in found:
        return found.get("encryption_secret")
    path = Path(found["encryption_file"])
    try:
        if os.path.getsize(path) > _MAX_FILE:
            raise InvalidError(f"the file of encryption keys {path} is too large to be one")
        return path.read_text(encoding="utf-8")
    except PermissionError as e:
        raise DeniedError(f"the file of encryption keys {path} cannot be read: let the user who runs the program read it") from e
    except UnicodeDecodeError as e:
        raise InvalidError(f"the file of encryption keys {path} is no text: write id:base64, one key a line") from e
    except OSError as e:
        raise UnavailableError(f"the file of encryption keys {path} cannot be read ({e.strerror})") from e


def _choose(found: dict[str, str], name: str, *allowed: str) -> str:
    chosen = found.get(name, allowed[0])
    if chosen not in allowed:
        raise InvalidError(f"{name} must be {' or '.join(allowed)}")
    return chosen


def _read_above(text: str) -> int | None:
    if text in ("no", "yes"):
        return _ABOVE if text == "yes" else None
    if not text.isdecimal() or not text.isascii() or not 1 <= len(text) <= 7 or not 1 <= int(text) <= _MOST_ABOVE:
        raise InvalidError(f"compress must be yes, no, or a number of bytes from 1 to {_MOST_ABOVE:,}")
    return int(text)
