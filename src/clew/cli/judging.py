"""What a fact about a store means: well, worth a look, or wrong; and in a sentence, what to do about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import ClewError
from ..wrappers.journal import Options, find_journals

Fact = str | int | float | bool | None
_ROOM: Final = 100 * 1024 * 1024
_MUCH: Final = 0.8
"""Of the memory that a server may use."""
_BYTES: Final = ("size", "log", "free disk", "memory used", "most memory")


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, whether it is well (None: worth a look), and what was seen."""

    name: str
    ok: bool | None
    detail: str


def judge(name: str, value: Fact, facts: Mapping[str, Fact]) -> Check:
    """Turn a fact into a line; some facts are a reason to worry, some only beside others."""
    text = "unknown" if value is None else ("no", "yes")[value] if isinstance(value, bool) else str(value)
    if name in _BYTES and isinstance(value, int):
        text = f"{value / 1024 / 1024:,.1f} MiB"
    if name == "role" and text == "replica":
        return Check(name, False, "replica: nothing can be written to it; name its primary, or its sentinels, in the URL")
    if name == "eviction policy" and text not in ("noeviction", "unknown"):
        return Check(name, None, f"{text}: the server may delete conversations when it is full; set maxmemory-policy noeviction")
    if name == "evicted keys" and value:
        return Check(name, None, f"{text} since the server started: it deleted parts of conversations; give it more memory")
    if name == "persistence" and text == "none":
        return Check(name, None, "none: a restart of the server loses everything; set appendonly yes, or save")
    if name in ("last snapshot", "last append-only write") and text not in ("ok", "unknown"):
        return Check(name, False, f"{text}: the server cannot save what it has; look at its disk, and at its log")
    if name == "synchronous" and text == "normal":
        return Check(name, None, "normal: a power cut may lose the last commits; leave the option out for full")
    if name == "free disk" and isinstance(value, int) and value < _ROOM:
        return Check(name, None, f"{text}: make room before it is full")
    most = facts.get("most memory")
    if name == "memory used" and isinstance(value, int) and isinstance(most, int) and value > _MUCH * most:
        return Check(name, None, f"{text}, {value / most:.0%} of what it may use: writes are refused when it is full; make room")
    return Check(name, True, text)


def look_at_journals(options: Options) -> Check:
    """Return what waits in a folder's journals, and whether a process can have one there. None is opened, or made."""
    place = next(each for each in (options.folder, *options.folder.parents) if os.path.exists(each))
    if not place.is_dir():
        return Check("journal", False, f"{place} is no folder: name another one for the journals")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return Check("journal", False, f"this user may not write in {place}: mend its rights, or name another folder")
    try:
        found = find_journals(options.folder)
    except ClewError as error:
        return Check("journal", False, str(error))
    waiting, refused = sum(each.depth for each in found), sum(len(each.aside) for each in found)
    said = [f"writes that wait: {waiting:,} (clew journal drain writes those that no process does)"] if waiting else []
    said += [f"writes that were refused for good: {refused:,} (clew journal list says why)"] if refused else []
    return Check("journal", None if said else True, f"{options.folder}: {'; '.join(said) or 'nothing waits'}")
