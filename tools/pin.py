"""Refresh the pins in pyproject.toml: one exact version of everything that the development environment holds.

Usage: `uv run python tools/pin.py`. It resolves afresh in a temporary folder, for every supported Python and platform at once,
and rewrites the block between the two marker lines. It changes no environment; `uv sync` does that afterwards.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?<=# pins: begin\n)(.*?)(?=# pins: end\n)", re.DOTALL)


def resolve(project: str) -> list[str]:
    """Return the requirement lines that uv resolves for the text of a pyproject.toml, each with a version and its markers."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        (copy / "pyproject.toml").write_text(project)
        for name in ("README.md", "LICENSE"):
            shutil.copy(TOP / name, copy / name)
        (copy / "src/clew").mkdir(parents=True)
        (copy / "src/clew/__init__.py").touch()
        options = ["--all-groups", "--all-extras", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header", "--quiet"]
        run = subprocess.run(["uv", "export", *options], cwd=copy, check=True, capture_output=True, text=True)
    return [line for line in run.stdout.splitlines() if line and not line.startswith(("#", "-e"))]


def pin(project: str, lines: list[str]) -> str:
    """Return the text of a pyproject.toml with these lines as its pins."""
    listed = "".join(f'  "{line}",\n' for line in lines)
    block = f"constraint-dependencies = [\n{listed}]\n" if lines else ""
    if not BLOCK.search(project):
        raise SystemExit("pyproject.toml has no block of pins: put '# pins: begin' and '# pins: end' under [tool.uv]")
    return BLOCK.sub(lambda _: block, project, count=1)


def main() -> None:
    """Rewrite the pins, and prove that they resolve."""
    path = TOP / "pyproject.toml"
    lines = resolve(pin(path.read_text(), []))
    # Read again: the file may have been edited while uv was working.
    text = pin(path.read_text(), lines)
    if resolve(text) != lines:
        raise SystemExit("the pins do not resolve to themselves: pyproject.toml is left as it was")
    path.write_text(text)
    print(f"{len(lines)} pins written to pyproject.toml; now run: uv sync")


if __name__ == "__main__":
    main()
