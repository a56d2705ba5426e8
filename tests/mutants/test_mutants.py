"""The suite has teeth: it passes the sound backends and rejects every mutant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .mutants import MUTANTS

ROOT = Path(__file__).parents[2]


def judge(mutant: str, suite: str, url: str) -> tuple[int, str]:
    """Run a suite on a mutant until its first failure; return pytest's exit code and the end of what it said."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    command += ["--timeout", "60", "--noconftest", "--tb", "line", "-k", suite, "tests/mutants/judged.py"]
    # Only the plugins it needs: the others cost more than most of the suite.
    command += ["-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-o", "addopts="]
    environment = os.environ | {"CLEW_MUTANT": mutant, "CLEW_MUTANT_URL": url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout[-2000:] + done.stderr[-1000:]


def url_for(kind: str, url_of: Callable[..., str]) -> str:
    """Return the store of a kind, with a namespace of the test's own; what a mutant leaves there is its fault."""
    return "memory://" if kind == "memory" else url_of(kind, sweep=False)


def test_a_sound_backend_passes() -> None:
    # In memory, since tests/conformance judges every other one.
    code, said = judge("none", "Test", "memory://")
    assert code == 0, said


@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_rejects(name: str, url_of: Callable[..., str]) -> None:
    mutant = MUTANTS[name]
    code, said = judge(name, mutant.suite, url_for(mutant.kind, url_of))
    assert code == 1, f"the suite let it through: {said}"
    # A fault in the mutant itself is no finding of the suite.
    assert "mend this mutant" not in said
    assert "1 failed" in said or "1 error" in said
