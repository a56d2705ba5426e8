"""The core needs the standard library and msgspec; whatever else is missing is named, with the extra that brings it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .support import do_without

TOP = Path(__file__).resolve().parent.parent

CORE = """
import pkgutil, sys
before = set(sys.modules)
import clew, clew.files, clew.store
for name in sorted(clew.__all__):
    getattr(clew, name)
for package in (clew, clew.store):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not found.ispkg and found.name not in {SHIPPED_APART}:
            __import__(found.name)
import asyncio
async def main():
    async with clew.connect("memory://") as store:
        thread = await store.threads.create("ada")
        await store.items.append(thread, clew.NewItem(b"hello"))
        assert [item.data for item in await store.items.page(thread)] == [b"hello"]
    async with clew.files.connect_files("memory://") as files:
        assert (await files.put(("a",), b"hello")).size == 5
asyncio.run(main())
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(roots - set(sys.stdlib_module_names)))
"""

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
{code}
"""

MODULES_OF = {
    "redis": ("redis", "hiredis"),
    "cli": ("typer", "rich", "dotenv"),
    "agent-framework": ("agent_framework",),
    "chatkit": ("chatkit",),
    "mcp": ("mcp",),
    "fastmcp": ("fastmcp", "key_value"),
    "langgraph": ("langgraph",),
    "langchain": ("langchain_core",),
    "s3": ("obstore",),
    "encryption": ("cryptography",),
    "compression": ("zstandard",),
    "metrics": ("prometheus_client",),
    "tracing": ("opentelemetry",),
    "conformance": ("pytest", "pytest_asyncio"),
}
NEEDED_BY = {
    "redis": "import asyncio, clew.schemes; asyncio.run(clew.schemes.open_backend('redis://localhost:1/0'))",
    "agent-framework": "import clew.adapters.agent_framework",
    "chatkit": "import clew.adapters.chatkit",
    "mcp": "import clew.mcp",
    "fastmcp": "import clew.adapters.key_value",
    "langgraph": "import clew.adapters.langgraph",
    "langchain": "import clew.adapters.langchain",
    "s3": "import asyncio, clew.files; asyncio.run(clew.files.connect_files('s3://bucket').__aenter__())",
    "encryption": "import asyncio, clew.schemes; asyncio.run(clew.schemes.open_backend('memory://?encryption_secret=a:b'))",
    "compression": "import asyncio, clew.schemes; asyncio.run(clew.schemes.open_backend('memory://?compress=yes'))",
    "metrics": "import asyncio, clew.schemes; asyncio.run(clew.schemes.open_backend('memory://?metrics=on'))",
    "tracing": "import asyncio, clew.schemes; asyncio.run(clew.schemes.open_backend('memory://?tracing=on'))",
    "conformance": "import clew.conformance",
}


def run(code: str, python: str | Path = sys.executable, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program apart from this process, without the folder of the tests on its path."""
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, timeout=50, cwd=cwd, check=False)


def blocking(extra: str, code: str) -> str:
    """Return a program that runs `code` where the modules of an extra cannot be imported."""
    return BLOCKED.format(modules=MODULES_OF[extra], code=code)


def test_the_core_imports_the_standard_library_and_msgspec() -> None:
    done = run(CORE.replace("{SHIPPED_APART}", "{'clew.testing'}"))
    assert done.returncode == 0, done.stderr
    # Where typing_extensions is installed, msgspec looks into it.
    assert set(done.stdout.split()) - {"typing_extensions"} == {"clew", "msgspec"}


@pytest.mark.parametrize("extra", NEEDED_BY)
def test_a_missing_extra_is_named(extra: str) -> None:
    code = f"""
from clew.errors import MissingExtraError
try:
    {NEEDED_BY[extra]}
except MissingExtraError as error:
    assert isinstance(error, ImportError)
    print(error)
    print(error.extra)
"""
    done = run(blocking(extra, code))
    assert done.returncode == 0, done.stderr
    message, named = done.stdout.splitlines()
    assert named == extra
    assert f"pip install 'clew[{extra}]'" in message


def test_keys_are_made_without_the_application() -> None:
    heavy = [name for extra in ("chatkit", "mcp") for name in MODULES_OF[extra]]
    done = run(f"import clew.service.keys, sys; print([name for name in {heavy} if name in sys.modules])")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_service_is_an_application_whichever_of_its_modules_came_first() -> None:
    done = run(
        "import clew.service.application, clew.service; print(clew.service.app is clew.service.app, callable(clew.service.app))"
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["chat"]])
def test_the_command_names_its_extra_in_one_line(arguments: list[str]) -> None:
    done = run(blocking("cli", f"sys.argv = ['clew', *{arguments}]\nfrom clew.cli import main\nsys.exit(main())"))
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "pip install 'clew[cli]'" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([find_uv(), "build", "--wheel", "--quiet", "--out-dir", folder, TOP], check=True, timeout=110)
    (built,) = folder.glob("*.whl")
    return built


def find_uv() -> str:
    """Return uv's path: `uv run` tells it."""
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        do_without(FileNotFoundError("the wheel is built with uv: pip install uv"))
    return found


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = TOP / "src"
    wanted = {path.relative_to(source).as_posix() for path in (source / "clew").rglob("*") if path.is_file()}
    wanted |= {f"clew/assistant/{path.relative_to(TOP).as_posix()}" for path in (TOP / "docs").rglob("*") if path.is_file()}
    assert names == {name for name in wanted if "__pycache__" not in name}


@pytest.mark.timeout(120)
def test_the_bare_wheel_keeps_a_conversation_and_says_what_is_missing(wheel: Path, tmp_path: Path) -> None:
    uv, venv = find_uv(), tmp_path / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True, timeout=60)
    bin_folder = venv / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", venv, wheel], check=True, timeout=100)
    installed = subprocess.run([uv, "pip", "freeze", "--python", venv], capture_output=True, text=True, check=True).stdout
    assert sorted(line.partition("=")[0].partition(" ")[0] for line in installed.splitlines()) == ["clew", "msgspec"]

    done = run((TOP / "examples/quickstart.py").read_text(), bin_folder / "python", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Where do I stay?" in done.stdout
    assert (tmp_path / "conversations.db").exists()

    searched = run(
        "from clew.assistant.search import DocsSearch; print(DocsSearch().find('tombstone')[0].passage.page)",
        bin_folder / "python",
    )
    assert (searched.stdout, searched.stderr) == ("glossary.md\n", "")

    helped = subprocess.run([bin_folder / "clew", "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert helped.returncode != 0
    assert "pip install 'clew[cli]'" in helped.stderr
