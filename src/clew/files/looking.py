"""What a sample of an owner's files looks like: the keys they are encrypted with, what is plain, and what is unreadable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..errors import InvalidError, NotFoundError, UnreadableError
from ..frames import SEALED_FILE
from .around import Around
from .contract import Files
from .forgetting import folders_of
from .keys import Key
from .layout import HEADER, read_id
from .unsealed import Unsealed

FILES_OF_EACH = 20
"""Files that are looked at in the owner's volume, and of their attachments."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some files of an owner.

    Attributes:
        encryption: how files are encrypted that are written now, for people.
        newest_key: the id of the key for that; None where they are not encrypted.
        forms: how many there are of each form: `key ID`, `plain`.
        unreadable: how many do not begin as they should, and why the last one cannot be read.
    """

    encryption: str
    newest_key: str | None
    forms: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    why: str = ""


async def look(files: Files, owner: str) -> Sample:
    """Return a sample of the owner's files, of each of which the beginning is read."""
    around = files if isinstance(files, Around) else Unsealed(files)
    forms: Counter[str] = Counter()
    wrong: list[str] = []
    for folder in folders_of(owner):
        for info in await files.list(folder, limit=FILES_OF_EACH):
            try:
                forms[await _form_of(around.inner, info.key)] += 1
                async with await files.get(info.key):
                    pass
            except NotFoundError:
                continue  # It has gone meanwhile.
            except UnreadableError as e:
                wrong.append(str(e))
    return Sample(around.describe(), around.newest_key, forms, len(wrong), wrong[-1] if wrong else "")


async def _form_of(raw: Files, key: Key) -> str:
    try:
        beginning = await (await raw.get(key, length=HEADER)).read()
    except InvalidError:
        return "plain"  # It is empty.
    return f"key {read_id(beginning)}" if beginning.startswith(SEALED_FILE) else "plain"
