"""What a sample of a store looks like: the keys it is encrypted with, what is compressed, what is plain, what is unreadable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..backend import Backend, Cataloguing
from ..errors import UnreadableError
from ..frames import SEALED, SQUEEZED
from ..limits import ITEMS
from ..records import Entry, Partition
from .coded import Coded

THREADS = 20
ITEMS_OF_EACH = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """The documents and the newest items of an owner's newest threads.

    Attributes:
        forms: how many records there are of each form: `key ID`, `compressed`, `plain`.
        unreadable: how many cannot be read, and why the last one cannot.
    """

    forms: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    why: str = ""


async def look(backend: Backend, owner: str) -> Sample | None:
    """Return a sample of what the owner has; None where the store does not know the owner's threads."""
    raw = backend.inner if isinstance(backend, Coded) else backend
    if not isinstance(raw, Cataloguing) or not isinstance(backend, Cataloguing):
        return None
    forms: Counter[str] = Counter()
    wrong: list[str] = []
    for name, snapshot in (await raw.catalogue(owner, limit=THREADS)).partitions:
        partition = Partition(owner, name)
        page = await raw.read(partition, ITEMS, limit=ITEMS_OF_EACH, newest_first=True)
        forms.update(_form(data) for data in [*snapshot.documents.values(), *(entry.data for entry in page.entries)])
        if isinstance(backend, Coded):
            found = backend.coding.decode_entries(partition, ITEMS, page.entries)
            wrong += [entry.unreadable for entry in found if entry.unreadable is not None]
        else:
            wrong += [_explain(entry) for entry in page.entries if _form(entry.data) != "plain"]
    if isinstance(backend, Coded):
        for _, opened in (await backend.catalogue(owner, limit=THREADS)).partitions:
            for key in opened.documents:
                try:
                    opened.documents[key]
                except UnreadableError as e:
                    wrong.append(str(e))
    return Sample(forms, len(wrong), wrong[-1] if wrong else "")


def _form(data: bytes) -> str:
    if data.startswith(SEALED) and len(data) > 3:
        return f"key {data[4 : 4 + data[3]].decode('ascii', 'replace')}"
    return "compressed" if data.startswith(SQUEEZED) else "plain"


def _explain(entry: Entry) -> str:
    try:
        entry.json()
    except UnreadableError as e:
        return str(e)
    return ""
