"""A process that judges mutants: it reads requests, and gives each to a child that is forked for it.

What takes longest, importing pytest and the suites, is done once. Every child plants its fault in a copy of its own, and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final, NoReturn

import pytest

import clew.conformance.everything  # noqa: F401  (imported here, so that no child has to)

from . import mutants  # noqa: F401  (likewise)

SUITE: Final = str(Path(__file__).with_name("judged.py"))
OPTIONS: Final = (
    *("-x", "-q", "--no-header", "--noconftest", "--tb", "line", "--timeout", "60", "-o", "addopts="),
    "--assert=plain",
    *("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
)
"""Only the plugins the suites need: the others cost more than most of them."""
HURRY_S: Final = 5.0


def judge(mutant: str, suite: str, tests: str, url: str) -> tuple[int, str]:
    """Run tests of a suite (of every suite for "") on a mutant until the first failure; return pytest's exit code and the end of
    what it said."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = os.fork()
        if child == 0:
            _run(mutant, suite, tests, url, said.fileno())
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read()[-3000:]


def _run(mutant: str, suite: str, tests: str, url: str, output: int) -> NoReturn:
    code = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(CLEW_MUTANT=mutant, CLEW_MUTANT_URL=url)
        if mutant != "none":
            _hurry()
        # To collect every suite takes longer than one test does.
        code = int(pytest.main([*OPTIONS, "-k", tests, f"{SUITE}::{suite}" if suite else SUITE]))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not sys.exit: what the parent has open is the parent's.
        os._exit(code)


def _hurry() -> None:
    """Wait less long in vain for what a mutant never does; the sound backends have all the time that users have."""
    for name, module in list(sys.modules.items()):
        if name.startswith("clew.conformance.") and hasattr(module, "TIMEOUT"):
            vars(module)["TIMEOUT"] = HURRY_S


def main() -> None:
    """Answer one line of JSON with another until the input ends."""
    for line in sys.stdin:
        print(json.dumps(judge(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
