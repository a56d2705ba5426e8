"""The example runs twice in one folder, and the second time it remembers the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agent_framework_history.py"


def run(folder: Path) -> str:
    """Run the example; whatever it warns of is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_example_remembers_in_the_next_process(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first.splitlines()[-1] == "our-talk: My name is Ada., 4 messages"
    assert "You told me: My name is Ada.; I like trains.; My name is Ada.\n" in second
    assert second.splitlines()[-1] == "our-talk: My name is Ada., 8 messages"
