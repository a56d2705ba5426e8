"""ETags, `If-Match`, `If-None-Match` and `Idempotency-Key`: what a request may ask to hold before anything is written."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from starlette.requests import Request

from .. import Once
from ..errors import InvalidError
from .refusals import PreconditionError

_REVISION: Final = re.compile(r'"([1-9][0-9]{0,17})"')
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def revision_of(request: Request) -> int | None:
    """Return the revision that `If-Match` names; None for none or `*`.

    Raises:
        PreconditionError: a tag that no revision has.
        InvalidError: what is no tag, or several.
    """
    text = _one(request, "if-match")
    if text is None or text == "*":
        return None
    found = _REVISION.fullmatch(text)
    if found is None:
        raise PreconditionError("this ETag is none that was given here")
    return int(found[1])


def tag_of(request: Request) -> str | None:
    """Return the tag that `If-Match` names; None for none or `*`. As `revision_of`."""
    text = _one(request, "if-match")
    return None if text == "*" else text


def version_of(request: Request) -> str | None:
    """Return the version of a file that `If-Match` names, `*` for any; None where it is not there. As `revision_of`."""
    text = _one(request, "if-match")
    # Weak tags never match here, and a store must not take this one for any version.
    if text is not None and (text.startswith("W/") or text == '"*"'):
        raise PreconditionError("this ETag is none of a file's")
    return text


def is_create_only(request: Request) -> bool:
    """Tell whether `If-None-Match` asks that nothing be there; InvalidError where it asks for something else."""
    text = _one(request, "if-none-match")
    if text not in (None, "*"):
        raise InvalidError("If-None-Match must be * here, for a file that is not there yet")
    return text is not None


def is_fresh(request: Request, etag: str) -> bool:
    """Tell whether the caller has this version already."""
    text = request.headers.get("if-none-match")
    return text is not None and (text.strip() == "*" or etag in [each.removeprefix("W/") for each in _TAG.findall(text)])


def once_of(request: Request, verb: str) -> str | None:
    """Return the `once` token of a request's `Idempotency-Key`; None without one; InvalidError for a bad one."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or _KEY.fullmatch(given[0]) is None:
        raise InvalidError("Idempotency-Key must be one word of 1 to 255 visible ASCII characters, as a UUID")
    return f"http:{verb}:{given[0]}"


async def use_of(request: Request, token: str | None) -> Once | None:
    """Return a `once` token with a digest of the request's body, so that the key of another request is noticed."""
    return None if token is None else Once(token, blake2b(await request.body(), digest_size=6).digest())


def _one(request: Request, name: str) -> str | None:
    given = request.headers.getlist(name)
    if not given:
        return None
    text = given[0].strip()
    if len(given) > 1 or (text != "*" and _TAG.fullmatch(text) is None):
        raise InvalidError(f'{name} must be one ETag, as "12", or *')
    return text
