"""The example of Agent Framework, run twice as it says: the second process remembers the first one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/agent_framework_history.py"


def test_the_example_remembers_in_the_next_process(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLE], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines())
    first, second = said
    assert first[1] == "You told me: My name is Ada."
    assert second[1] == "You told me: My name is Ada.; I like trains.; My name is Ada."
    assert first[-1].endswith("4 messages")
    assert second[-1].endswith("8 messages")
