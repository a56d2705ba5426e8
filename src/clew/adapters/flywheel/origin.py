"""What a session was loaded from or saved as: so that the next save can tell what others wrote meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...model import JSON

Appended: TypeAlias = "tuple[Appended, bytes] | None"
"""Entries added since, the newest first: one pair inside the other, so that adding one costs the same however many there are."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored document as its session knows it. Never changed: each load and save makes another one.

    Attributes:
        raw: the document; None where nothing is known to be stored.
        count: how many entries `raw` has, as this release wrote them; 0 where that is not known.
        seal: how the stored document ends now; None where it has no seal, as another program's.
        appended: the entries that were added to `raw` since, as JSON with commas between them.
        stale: others wrote since, so the document in the store has to be read before the next save.
        attempt: a document that was sent, and of which nobody knows whether it arrived.
        others: fields that a newer release wrote, which are written back.
        version: the schema version that is written back, where it is a newer minor one; None for today's.
    """

    raw: bytes | None
    seal: bytes | None = None
    count: int = 0
    appended: Appended = None
    stale: bool = False
    attempt: bytes | None = None
    others: Mapping[str, JSON] = field(default_factory=dict)
    version: str | None = None

    def entries(self) -> list[bytes]:
        """Return what was appended, the oldest first."""
        found, rest = [], self.appended
        while rest is not None:
            rest, entry = rest
            found.append(entry)
        return found[::-1]
