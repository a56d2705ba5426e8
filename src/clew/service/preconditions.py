"""ETags, `If-Match`, `If-None-Match` and `Idempotency-Key`: what a request may ask to hold before anything is written."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from ..errors import InvalidError
from .problems import PreconditionError

_REVISION: Final = re.compile(r'"([0-9]{1,18})"')
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
        raise PreconditionError("this ETag is none of a thread's")
    return int(found[1])


def tag_of(request: Request) -> str | None:
    """Return the tag that `If-Match` names; None for none or `*`. As `revision_of`."""
    text = _one(request, "if-match")
    return None if text == "*" else text


def refuse_if_match(request: Request) -> None:
    """InvalidError where `If-Match` is there: to look and then to write would not be one step."""
    if request.headers.get("if-match", "*") != "*":
        raise InvalidError("If-Match is not taken here: leave it out")


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


def _one(request: Request, name: str) -> str | None:
    given = request.headers.getlist(name)
    if not given:
        return None
    text = given[0].strip()
    if len(given) > 1 or (text != "*" and _TAG.fullmatch(text) is None):
        raise InvalidError(f'{name} must be one ETag, as "12", or *')
    return text
