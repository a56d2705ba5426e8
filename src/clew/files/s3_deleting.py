"""Deletes with a precondition, which obstore cannot ask for: it signs the address, and the standard library asks.

An address that was signed is as good as the credentials for as long as it holds: it is never shown.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from typing import Final

_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_MOST_ANSWER: Final = 64 * 1024


class _Still(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the address is signed for one place."""

    def redirect_request(self, *args: object, **more: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_Still)


def ask_delete(url: str, if_match: str, seconds: float) -> tuple[int, str | None]:
    """Send the request, and return the status of the answer and S3's code where there is one. It blocks.

    Args:
        url: signed for this.
        if_match: the ETag that the object must have.
        seconds: until the answer starts, and between its pieces.

    Raises:
        OSError: no answer came.
    """
    request = urllib.request.Request(url, method="DELETE", headers={"If-Match": if_match})
    try:
        with _OPENER.open(request, timeout=seconds) as answer:
            answer.read(_MOST_ANSWER)
            status: int = answer.status
            return status, None
    except urllib.error.HTTPError as refusal:
        with refusal:
            found = _CODE.search(refusal.read(_MOST_ANSWER).decode(errors="replace"))
            return refusal.code, found[1] if found else None
    except http.client.HTTPException as error:
        raise OSError("what answered does not speak HTTP") from error
