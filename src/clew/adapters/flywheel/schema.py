"""The version in each document, and the way from an older one to today's. Old is read, new is written; what is newer is kept.

A version is `<major>.<minor>`. A newer minor has fields more, which are kept as they are; a newer major is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ...errors import InvalidError, UnreadableError
from ...model import JSON

VERSION: Final = "1.1"
"""What clew writes: every field of UniversalSession, where 1.0 had some of them."""
NAME: Final = "_schema_version"
UNVERSIONED: Final = "0"
"""The version of documents that say none."""

Step: TypeAlias = Callable[[dict[str, JSON]], dict[str, JSON]]
Steps: TypeAlias = Mapping[str, tuple[str, Step]]
"""By the version that a step begins at: the version it leads to, and what it does with a document."""


def _from_unversioned(found: dict[str, JSON]) -> dict[str, JSON]:
    """The times of one branch of the founding system stood beside the rest."""
    last = found.pop("last_active", None)
    found.setdefault("updated_at", last)
    return found


def _from_first(found: dict[str, JSON]) -> dict[str, JSON]:
    """The times of the other branch stood in its metadata."""
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        for ours, theirs in (("created_at", "created_at"), ("updated_at", "last_active")):
            if metadata.get(theirs) is not None:
                found.setdefault(ours, metadata.pop(theirs))
    return found


BUILT_IN: Final[Steps] = {UNVERSIONED: (VERSION, _from_unversioned), "1.0": (VERSION, _from_first)}


class Schema:
    """The version that is written, and the steps that lead to it.

    Args:
        version: the version to write, `<major>.<minor>`; None for clew's.
        steps: an application's own, before those of clew.

    Raises:
        InvalidError: a version that cannot be read, or steps that go round in a circle.
    """

    def __init__(self, version: str | None = None, steps: Steps | None = None) -> None:
        self.version = VERSION if version is None else version
        self._number = _number_of(self.version)
        self._steps = {**BUILT_IN, **(steps or {})}
        for start, (target, step) in self._steps.items():
            if not callable(step) or _number_of(start) >= _number_of(target):
                raise InvalidError(
                    f"a migration leads from a version to a later one, by a function: not from {start!r} to {target!r}"
                )

    def migrate(self, found: dict[str, JSON], what: str) -> dict[str, JSON]:
        """Bring a decoded document to the version that is written, step by step. One of a newer minor is left as it is.

        Raises:
            UnreadableError: it is of a newer major, or no step leads on from its version, or a step failed.
        """
        version = found.get(NAME, UNVERSIONED)
        while version != self.version:
            step = self._steps.get(version) if isinstance(version, str) else None
            number = _read_number(version)
            if number is None:
                raise UnreadableError(f"{what} has the schema version {version!r}, which is none: it is kept as it is")
            if number > self._number:
                if number[0] == self._number[0]:
                    return found
                raise UnreadableError(
                    f"{what} has the schema version {version}, newer than {self.version}: upgrade to read it; it is kept as it is"
                )
            if step is None:
                raise UnreadableError(f"{what} has the schema version {version}, and no migration leads on from it: give one")
            target, change = step
            try:
                found = change(found)
            except Exception as e:
                raise UnreadableError(
                    f"the migration of {what} from {version} to {target} failed: {e!r}; it is kept as it is"
                ) from e
            found[NAME] = version = target
        return found


def _number_of(version: str) -> tuple[int, int]:
    number = _read_number(version)
    if number is None:
        raise InvalidError(f"a schema version is written as 1.1, not {version!r}")
    return number


def _read_number(version: JSON) -> tuple[int, int] | None:
    if not isinstance(version, str):
        return None
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and (minor.isdecimal() or version == major)):
        return None
    return int(major), int(minor or 0)
