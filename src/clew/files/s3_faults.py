"""What S3 and obstore say when they cannot do something, as the errors of clew. A message holds S3's code, and no more of it."""

from __future__ import annotations

import re
from typing import Final

from obstore import exceptions

from ..errors import (
    AlreadyExistsError,
    ClewError,
    ConflictError,
    DeniedError,
    FullError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
)

_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_FULL: Final = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge"})


FAULTS: Final = (exceptions.BaseError, OSError, NotImplementedError, ValueError)
"""What obstore raises where the bucket or the way to it is at fault; a missing object is a FileNotFoundError, and what a store of
its cannot do a NotImplementedError, which `fault_of` makes an UnsupportedError."""


def fault_of(error: Exception, name: str, path: str, expected: str | None) -> ClewError:
    """Return the error to raise in place of obstore's.

    Args:
        error: what was raised.
        name: what to call the store.
        path: the file it is about.
        expected: the ETag that was asked for.
    """
    said = str(error)
    code, status = _find(_CODE, said), _find(_STATUS, said)
    told = f" ({code or status})" if code or status else ""
    return _choose(error, code, status, told, name, _shown(path), expected)


def refusal_of(status: int, code: str | None, name: str, path: str, expected: str) -> ClewError:
    """Return the error to raise where the server answered a request of ours with a status that is no success."""
    if status in (409, 412):
        return ConflictError(f"the file {_shown(path)} is another version by now", expected=expected)
    return _choose(OSError(), code, str(status), f" ({code or status})", name, _shown(path), expected)


def is_beyond_end(error: ClewError) -> bool:
    """Tell whether the error is S3's 416: the part of the file that was asked for starts behind its end."""
    return error.__cause__ is not None and _find(_STATUS, str(error.__cause__)) == "416"


def _choose(
    error: Exception, code: str | None, status: str | None, told: str, name: str, path: str, expected: str | None
) -> ClewError:
    if code == "NoSuchBucket":
        return UnsupportedError(f"{name} does not exist: make it, or mend its name")
    if isinstance(error, exceptions.AlreadyExistsError):
        return AlreadyExistsError(f"there is a file {path} already")
    if isinstance(error, exceptions.PreconditionError):
        return ConflictError(f"the file {path} is another version by now", expected=expected)
    if isinstance(error, FileNotFoundError) and expected is not None:
        return ConflictError(f"the file {path} is not there any more", expected=expected)
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"there is no file {path}")
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError) or status in ("401", "403"):
        return DeniedError(
            f"{name} refused these credentials{told}: mend AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or its policy"
        )
    if code in _FULL or status == "507":
        return FullError(f"{name} takes no more{told}: make room, then try again")
    if isinstance(error, NotImplementedError | exceptions.NotSupportedError) or status in ("501", "405"):
        return UnsupportedError(f"{name} cannot do this{told}: use a server that knows conditional writes")
    return UnavailableError(f"{name} did not answer as it should{told}: is it up, and is its endpoint right?")


def _shown(path: str) -> str:
    return repr(path if len(path) <= 100 else path[:100] + "...")


def _find(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None
