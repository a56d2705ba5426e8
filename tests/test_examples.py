"""Every example runs, in an empty folder, and prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "examples"
PRINTED = {
    "quickstart.py": "[{'role': 'user', 'text': 'Where do I stay?'}] False\n2 {'role': 'assistant', 'text': 'In Grünerløkka.'}\n",
    "flywheel_sessions.py": (
        "saved: True\nsaved: True with what others wrote: True\n"
        "completed ['Where do I stay?', 'In Oslo.'] ['e1']\nmissing is not unavailable: missing\n"
    ),
    "retry_safely.py": "kept the first: ['question-1']\nthe same answer: True\nitems: 3\n",
    "routes.py": "sessions: 1 made by: 1\nit leads to session-2\ndeleted: True False\n",
    "tool_calls.py": ("done by 1 of 5\nfork: ['message']\nkept: [('tool_call', 'completed'), ('tool_result', None)]\n"),
    "two_terminals.py": "heard by both: 4 the same: True\n",
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", str(FOLDER / name)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", PRINTED[name])


def test_no_example_is_forgotten() -> None:
    # Those of a framework are run by its adapter's tests.
    assert {path.name for path in FOLDER.glob("*.py")} - {
        "agent_framework_history.py",
        "chatkit_assistant.py",
        "chatkit_store.py",
    } == set(PRINTED)
