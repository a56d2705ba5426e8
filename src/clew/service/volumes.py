"""Volumes: the user's, a team's, and the system's. Who may read and write one, and where what is in it stands.

This is the one place that decides it, for sessions and files alike. A team that the caller is not in looks like one that is not
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..errors import InvalidError, NotFoundError
from ..files import Key, volume_key
from .identity import RESERVED, ForbiddenError, Identity

Kind = Literal["user", "team", "system"]

TEAM_OWNER: Final = f"{RESERVED}team:"
"""What the owner of a team's sessions starts with; the team's name follows."""
SYSTEM_OWNER: Final = f"{RESERVED}system"
"""The owner of the system's sessions."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that a caller may read. Made by `volume_of`.

    Attributes:
        kind: `user`, `team` or `system`.
        holder: the user's id, the team's name, or `system`.
        owner: the owner of its sessions in the store.
        may_write: whether this caller may write it too.
    """

    kind: Kind
    holder: str
    owner: str
    may_write: bool = True

    @property
    def team(self) -> str | None:
        """The team's name, None where it is no team's."""
        return self.holder if self.kind == "team" else None

    def key(self, *path: str) -> Key:
        """Return the key of a file in it, or of a folder: InvalidError for parts that cannot be one."""
        return volume_key(self.kind, self.holder, *path)

    def check_write(self) -> Volume:
        """Return the volume; ForbiddenError where this caller may only read it."""
        if not self.may_write:
            raise ForbiddenError("the system's volume may be read by everybody, and written with an API key of the system only")
        return self


def volume_of(identity: Identity, kind: str = "user", team: str | None = None) -> Volume:
    """Return the volume that a caller names.

    Args:
        kind: `user`, `team` or `system`.
        team: which team's; may be left out where the caller is in exactly one.

    Raises:
        NotFoundError: the caller is not in this team, or there is none.
        InvalidError: another kind, a team with another kind, or no team where the caller is in several or none.
    """
    if team is not None and kind in ("user", "system"):
        raise InvalidError("a team is named only with the volume 'team': leave it out, or ask for that volume")
    match kind:
        case "user":
            return Volume("user", identity.user, identity.owner)
        case "system":
            return Volume("system", "system", SYSTEM_OWNER, identity.may_write_system)
        case "team":
            return team_volume(identity, team)
        case _:
            raise InvalidError("volume must be one of user, team, system")


def team_volume(identity: Identity, team: str | None = None) -> Volume:
    """Return the volume of a team that the caller is in, of their only one for None; raises as `volume_of`."""
    if team is None:
        if len(identity.teams) != 1:
            count = len(identity.teams)
            raise InvalidError(f"you are in {count} teams: name the one that is meant" if count else "you are in no team")
        (team,) = identity.teams
    if team not in identity.teams:
        raise NotFoundError("there is no such team for this caller")
    return Volume("team", team, TEAM_OWNER + team)
