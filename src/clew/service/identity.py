"""Who asks: a user, and the teams they are in. Every request has one, and no endpoint lets its caller say whose data it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from starlette.requests import HTTPConnection

from ..errors import ClewError, InvalidError
from ..limits import check_id

RESERVED: Final = "clew:"
"""What the owners start with that no person and no team can be: those of the service's own records."""
SCOPE: Final = "clew.identity"
"""Where the identity stands in the scope of a request."""
MOST_TEAMS: Final = 1_000


class UnauthorizedError(ClewError):
    """Nobody who may come in: no token, or one that does not hold. HTTP 401."""


class ForbiddenError(ClewError):
    """It is there for this caller to read, and not to write. HTTP 403."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        user: the subject of the token, and the owner of what is theirs.
        teams: the teams they are in, sorted.
        source: how they proved it: `token`, `key` (an API key), or `local` (the one user of this machine).
        key: the id of the API key, None without one.
        may_write_system: whether they may write the system's volume, which everybody may read.
    """

    user: str
    teams: tuple[str, ...] = ()
    source: Literal["token", "key", "local"] = "token"
    key: str | None = None
    may_write_system: bool = False

    @property
    def owner(self) -> str:
        """Whose threads these are: the user's."""
        return self.user


def identity_of(request: HTTPConnection) -> Identity:
    """Return who asks. Every request has an identity but those for the pages that are open to all."""
    found = request.scope.get(SCOPE)
    assert isinstance(found, Identity), "the door lets nobody in without an identity"
    return found


def check_name(text: object, what: str) -> str:
    """Return the name of a user or a team; InvalidError where it cannot be one."""
    if not isinstance(text, str):
        raise InvalidError(f"{what} must be a string, not {type(text).__name__}")
    check_id(text, what, most=256)
    if text.startswith(RESERVED):
        raise InvalidError(f"{what} starts with {RESERVED!r}, which is kept for the service itself")
    return text


def check_teams(names: object, what: str) -> tuple[str, ...]:
    """Return the names of teams, sorted, each once; InvalidError where they are no list of names."""
    if not isinstance(names, list | tuple) or len(names) > MOST_TEAMS:
        raise InvalidError(f"{what} must be a list of at most {MOST_TEAMS:,} names")
    return tuple(sorted({check_name(name, what) for name in names}))
