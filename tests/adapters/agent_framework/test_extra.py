"""Without the framework, the adapter says which command installs it."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import sys
sys.modules["agent_framework"] = None
try:
    import clew.adapters.agent_framework
except ImportError as error:
    from clew.errors import MissingExtraError
    assert isinstance(error, MissingExtraError) and error.extra == "agent-framework", error
    print(error)
"""


def test_a_missing_framework_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'clew[agent-framework]'" in done.stdout
