"""The tree keeps its shape: small files, links and paths that lead somewhere, and nothing that belongs to one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

TOP = Path(__file__).resolve().parent.parent
TRACKED = sorted(
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=TOP, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (TOP / name).is_file()
)
PAGES = [path for path in TRACKED if path.suffix == ".md"]
MODULES = [path for path in TRACKED if path.suffix == ".py" and path.parts[0] == "src"]
MOST_LINES = {"src": 400, "tests": 500, "servers": 400, "bench": 400, "tools": 400}
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
NAMED = re.compile(r"`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?)`")
FOLDERS = ("src", "tests", "docs", "bench", "servers", "examples", "tools", ".ci")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
# Ada is the user of our examples.
OF_A_MACHINE = re.compile(r"/(?:root|work|farm|(?:home|Users)/(?!ada/)[a-z]+)/|(?:pypi\.|pythonhosted\.)org|:\d+/simple")


def read(path: Path) -> str:
    """Return a tracked file's text."""
    return (TOP / path).read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    """Return the anchors of a page of Markdown: its headings' slugs, and those set by hand."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', page))


@pytest.mark.parametrize("path", [path for path in TRACKED if path.suffix == ".py"], ids=str)
def test_a_file_stays_small(path: Path) -> None:
    most = MOST_LINES.get(path.parts[0], 400)
    count = len(read(path).splitlines())
    assert count <= most, f"{path} has {count} lines, at most {most} are allowed: give each of its things a file"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=str)
def test_a_module_says_what_it_promises(path: Path) -> None:
    module = ast.parse(read(path))
    assert ast.get_docstring(module), f"{path} opens without a docstring"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_link_leads_somewhere(path: Path) -> None:
    page = FENCE.sub("", read(path))
    for link in LINK.findall(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        place, _, anchor = unquote(link).partition("#")
        target = (TOP / path.parent / place).resolve() if place else TOP / path
        assert target.exists(), f"{path} links to {place}, which is not there"
        assert target.is_relative_to(TOP), f"{path} links out of the repository: {link}"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{path} links to #{anchor}, which {target.name} does not have"


@pytest.mark.parametrize("path", [page for page in PAGES if page.parts[:2] != ("docs", "decisions")], ids=str)
def test_every_path_named_in_a_page_exists(path: Path) -> None:
    for name in NAMED.findall(FENCE.sub("", read(path))):
        if "/" in name and name.split("/")[0] in FOLDERS:
            assert (TOP / name).exists(), f"{path} names {name}, which is not there"


def test_nothing_belongs_to_one_machine() -> None:
    found = []
    for path in TRACKED:
        try:
            text = read(path)
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {match.group()}" for match in OF_A_MACHINE.finditer(text)]
    assert found == []


def test_the_lock_file_is_not_kept() -> None:
    known = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [name for name in known if Path(name).name in ("uv.lock", ".env")] == []
