"""The example runs twice in one folder, and the second time its thread is still there; without the SDK the extra is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "chatkit_store.py"
SAID_BY_THE_SDK = "ignore:Direct usage of named widget classes is deprecated:DeprecationWarning"
BLOCKED = """
import sys
sys.modules["chatkit"] = None
try:
    import clew.adapters.chatkit
except ImportError as error:
    from clew.errors import MissingExtraError
    assert isinstance(error, MissingExtraError) and error.extra == "chatkit", error
    print(error)
"""


def run(folder: Path) -> list[str]:
    """Run the example; whatever it warns of is an error."""
    command = [sys.executable, "-W", "error", "-W", SAID_BY_THE_SDK, str(EXAMPLE)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_example_goes_on_in_the_next_process(tmp_path: Path) -> None:
    owners = ["ada has ['How many are we?']", "bob has []"]
    assert run(tmp_path) == ["Hello", "That is message 1 of this thread.", *owners]
    assert run(tmp_path) == ["Hello", "That is message 3 of this thread.", *owners]


def test_a_missing_sdk_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'clew[chatkit]'" in done.stdout
