"""What a session was loaded from or saved as: so that the next save can tell what others wrote meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...model import JSON
from .document import Before, Draft, find_before

Appended: TypeAlias = "tuple[Appended, bytes] | None"
"""Entries added since, the newest first: one pair inside the other, so that adding one costs the same however many there are."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored document as its session knows it. Never changed: each load and save makes another one.

    Attributes:
        whole: the document as it was read; None where nothing is known to be stored, or `draft` is it.
        count: how many entries it has, as this release wrote them; 0 where that is not known.
        seal: how the stored document ends now; None where it has no seal, as another program's.
        appended: the entries that were added to it since, as JSON with commas between them.
        stale: others wrote since, so the document in the store has to be read before the next save.
        attempt: a document that was sent, and of which nobody knows whether it arrived; or that waits in a journal.
        accepted: the journal that the attempt waits in, and its number there; None where it does not.
        others: fields that a newer release wrote, which are written back.
        draft: the document as it was written here.
        version: the schema version that is written back, where it is a newer minor one; None for today's.
    """

    whole: bytes | None
    seal: bytes | None = None
    count: int = 0
    appended: Appended = None
    stale: bool = False
    attempt: bytes | None = None
    accepted: tuple[str, int] | None = None
    others: Mapping[str, JSON] = field(default_factory=dict)
    version: str | None = None
    draft: Draft | None = None

    @property
    def raw(self) -> bytes | None:
        """The document; None where nothing is known to be stored."""
        return self.whole if self.draft is None else self.draft.raw

    @property
    def is_stored(self) -> bool:
        """Whether a document is known to be stored."""
        return self.whole is not None or self.draft is not None

    def before(self, field: str) -> Before | None:
        """Return what a draft needs of the document; None where it has nothing to go on from."""
        if self.draft is None:
            return None if self.whole is None else find_before(self.whole, field, self.count)
        draft = self.draft
        return Before(len(draft.start), draft.body, draft.count) if draft.count else None

    def entries(self) -> list[bytes]:
        """Return what was appended, the oldest first."""
        found, rest = [], self.appended
        while rest is not None:
            rest, entry = rest
            found.append(entry)
        return found[::-1]
