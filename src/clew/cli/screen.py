"""What a command writes: tables and sentences for people, JSON for programs. Stored text never reaches a terminal raw.

Colours only on a terminal; `NO_COLOR` is honoured. Answers go to standard output, all else to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..errors import UnreadableError
from ..model import Item, Thread

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def out() -> Console:
    """Return the console on standard output."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console on standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def clean(text: str) -> str:
    """Return text that cannot steer a terminal: control characters and changes of direction are written as `\\xNN`."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))


def say(text: str, *, style: str = "") -> None:
    """Write a line for people to standard output."""
    out().print(Text(clean(text), style=style))


def note(text: str, *, style: str = "dim") -> None:
    """Write a line about the work to standard error."""
    err().print(Text(clean(text), style=style))


def write_json(value: Any) -> None:
    """Write one JSON value on a line to standard output."""
    text = json.dumps(value, ensure_ascii=False)
    # Programs read them all the same, and a terminal does not obey them.
    sys.stdout.write(_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table to standard output; on a pipe, fields separated by tabs, without a head."""
    console = out()
    if not console.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(clean(cell).replace("\t", " ").replace("\n", " ") for cell in row) + "\n")
        return
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(clean(cell)) for cell in row))
    console.print(made)


def progress() -> Progress:
    """Return a progress bar on standard error, which shows only on a terminal."""
    console = err()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def age(moment: datetime) -> str:
    """Return how long ago something was, in words."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def thread_json(thread: Thread) -> dict[str, Any]:
    """Return a thread of a list for programs."""
    value: dict[str, Any] = {
        "thread": thread.id,
        "title": thread.title,
        "metadata": dict(thread.metadata),
        "created_at": thread.created_at.isoformat(),
        "updated_at": thread.updated_at.isoformat(),
        "revision": thread.revision,
    }
    return value if thread.unreadable is None else value | {"unreadable": thread.unreadable}


def item_json(item: Item) -> dict[str, Any]:
    """Return an item for programs: its envelope, its data as JSON where it can be read so, and as base64 where it is no JSON."""
    import base64

    from ..transcoding import is_translated, plain_value

    value: dict[str, Any] = {
        "id": item.id,
        "position": item.position,
        "kind": item.kind,
        "codec": item.codec,
        "author": item.author,
        "parent": item.parent,
        "status": item.status,
        "links": list(item.links),
        "created_at": item.created_at.isoformat(),
    }
    if item.unreadable is not None:
        value["unreadable"] = item.unreadable
    with suppress(UnreadableError):
        value["data"] = plain_value(item)
    if "data" not in value or is_translated(item):
        value["data_base64"] = base64.b64encode(item.data).decode()
    return value
