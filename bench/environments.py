"""Environments of peers, whose packages do not fit among clew's: made once by uv in the user's cache folder, and kept there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .measure import tell


class NoPeerError(Exception):
    """The peer cannot be installed here; the message says why."""


def find_python(name: str, packages: Sequence[str]) -> str:
    """Return the Python of an environment with these packages, which is made where there is none.

    Args:
        name: how its folder's name begins.
        packages: each with its version.

    Raises:
        NoPeerError: there is no uv, or it could not install them.
    """
    digest = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:12]
    folder = _find_cache() / f"{name}-{digest}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "complete").exists():
        return str(python)
    uv = shutil.which("uv")
    if uv is None:
        raise NoPeerError(f"there is no uv to install {packages[0]} with")
    tell(f"installing {', '.join(packages)} in {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *packages],
    ):
        # From a folder outside the project, whose pins are others.
        done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPeerError(f"uv could not install {packages[0]}: {done.stderr.strip()[-300:]}")
    (folder / "complete").touch()
    return str(python)


def _find_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clew-bench"
