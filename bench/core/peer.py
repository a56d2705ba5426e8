"""The peer's environment: `agent-framework-redis` with the redis-py it allows, which is not the one clew is tested with.

It is made once by uv, in the user's cache folder, and kept there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ..measure import tell

PEER: Final = "agent-framework-redis==1.0.0b261022"


class NoPeerError(Exception):
    """The peer cannot be installed here; the message says why."""


def find_peer_python() -> str:
    """Return the Python of the peer's environment, which is made where there is none.

    Raises:
        NoPeerError: there is no uv, or it could not install the peer.
    """
    core = f"agent-framework-core=={version('agent-framework-core')}"
    folder = (
        _find_cache() / f"peer-{PEER.rpartition('=')[2]}-{core.rpartition('=')[2]}-{sys.version_info[0]}.{sys.version_info[1]}"
    )
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "complete").exists():
        return str(python)
    uv = shutil.which("uv")
    if uv is None:
        raise NoPeerError("there is no uv to install the peer with")
    tell(f"installing {PEER} in {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "--prerelease=allow", PEER, core],
    ):
        # From a folder outside the project, whose pins are of another redis-py.
        done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPeerError(f"uv could not install {PEER}: {done.stderr.strip()[-300:]}")
    (folder / "complete").touch()
    return str(python)


def _find_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clew-bench"
