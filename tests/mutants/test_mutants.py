"""The suite has teeth: it passes the sound backends and rejects every mutant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .mutants import MUTANTS
from .witnesses import WITNESSES

ROOT = Path(__file__).parents[2]

Judge = Callable[[str, str, str, str], tuple[int, str]]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """Runs tests of the suites on a mutant until the first failure; returns pytest's exit code and the end of what it said."""
    command = [sys.executable, "-m", "tests.mutants.judge"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asking, answers = process.stdin, process.stdout
        assert asking is not None
        assert answers is not None

        def ask(mutant: str, suite: str, tests: str, url: str) -> tuple[int, str]:
            asking.write(json.dumps([mutant, suite, tests, url]) + "\n")
            asking.flush()
            code, said = json.loads(answers.readline())
            return int(code), str(said)

        yield ask


def url_for(kind: str, url_of: Callable[..., str]) -> str:
    """Return the store of a kind, with a namespace of the test's own; what a mutant leaves there is its fault."""
    return "memory://" if kind == "memory" else url_of(kind, sweep=False)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", sorted({mutant.kind for mutant in MUTANTS.values()}))
def test_a_sound_backend_passes(kind: str, url_of: Callable[..., str], judge: Judge) -> None:
    # Every test that sees a mutant there; tests/conformance runs all tests on all kinds.
    seen = {f"({mutant.suite} and {WITNESSES[name]})" for name, mutant in MUTANTS.items() if mutant.kind == kind}
    code, said = judge("none", "", " or ".join(sorted(seen)), url_for(kind, url_of))
    assert code == 0, said


@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_rejects(name: str, url_of: Callable[..., str], judge: Judge) -> None:
    mutant = MUTANTS[name]
    code, said = judge(name, mutant.suite, WITNESSES[name], url_for(mutant.kind, url_of))
    assert code == 1, f"its witness let it through, so name another test that sees it: {said}"
    # A fault in the mutant itself is no finding of the suite.
    assert "mend this mutant" not in said
    assert "1 failed" in said or "1 error" in said


def test_every_witness_is_one_of_a_mutant() -> None:
    assert set(WITNESSES) == set(MUTANTS)
