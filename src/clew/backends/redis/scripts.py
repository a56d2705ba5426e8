"""The Lua scripts, read once by file name; ARGV order is known only to the typed functions beside each verb.

On Redis 7 and later each starts with `#!lua`, without which even a cluster of one lets a script reach another slot. Redis
6.2 cannot compile that line, so there it is left off.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

NAMES: Final = (
    *("checkpoint", "checkpoint_trace", "checkpoints"),
    *(
        "append",
        "appends",
        "catalogue",
        "commit",
        "drop",
        "expire",
        "lease",
        "locate",
        "nearest",
        "page",
        "splice",
        "swap",
        "touch",
        "unlist",
    ),
    *("run_append", "run_cancel", "run_claim", "run_end", "run_interrupt", "run_renew", "run_start"),
)
"""Every script; the other files in `lua/` are taken in by a line `--include NAME`."""

FLAGS: Final = {
    "locate": " flags=no-writes",
    "page": " flags=no-writes",
    "checkpoints": " flags=no-writes",
    "checkpoint_trace": " flags=no-writes",
    "catalogue": " flags=allow-oom",
    "drop": " flags=allow-oom",
    "unlist": " flags=allow-oom",
}
"""What a script may do beyond the rest, or may not: what makes room must run where there is none."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script as one kind of server takes it: its source and the digest it is called by."""

    name: str
    source: bytes
    sha: bytes


def load_scripts(*, shebang: bool) -> dict[str, Script]:
    """Return every script by name, with `#!lua` first where the server knows it (Redis 7.0)."""
    return dict(_load_once(shebang))


@cache
def _load_once(shebang: bool) -> dict[str, Script]:
    # A process may open many stores, and the files stay as they are.
    folder = files(__package__) / "lua"

    def read(name: str) -> str:
        text = (folder / f"{name}.lua").read_text("utf-8")
        return re.sub(r"^ *--include (\w+)$", lambda match: read(match[1]), text, flags=re.MULTILINE)

    scripts = {}
    for name in NAMES:
        head = f"#!lua{FLAGS.get(name, '')}\n" if shebang else ""
        scripts[name] = make_script(name, head + read(name))
    return scripts


def make_script(name: str, source: str) -> Script:
    """Return a script with the digest it is called by."""
    encoded = source.encode()
    return Script(name, encoded, hashlib.sha1(encoded, usedforsecurity=False).hexdigest().encode())
