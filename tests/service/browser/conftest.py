"""Debian's chromium, driven as a person would. Skipped where it is not installed; `CLEW_BROWSER=required` makes that a failure.

Screenshots are kept below CLEW_ARTIFACTS, or in the temporary folder of the test run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

Look = Callable[[Page, str], Awaitable[None]]
# A service takes seconds to start again on a busy machine.
expect.set_options(timeout=20_000)
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without the background parts it asks nobody for anything.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return where the browser is, None where it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser of the test's own, which has no memory of others."""
    program = find_chromium()
    if program is None:
        message = "no chromium here: apt-get install chromium"
        if os.environ.get("CLEW_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield made
        await made.close()


@pytest.fixture
async def page(browser: Browser) -> Page:
    """A page on a desk, empty as yet; what goes wrong in its scripts fails the test where it looks."""
    return await new_page(browser)


async def new_page(browser: Browser, *, width: int = 1100, height: int = 800, dark: bool = False) -> Page:
    """Return a page in a window of its own."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    made = await context.new_page()
    made.set_default_timeout(15_000)
    return made


@pytest.fixture
def look(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """`await look(page, name)` keeps a screenshot."""
    folder = Path(os.environ.get("CLEW_ARTIFACTS") or tmp_path_factory.getbasetemp() / "artifacts") / "browser"
    folder.mkdir(parents=True, exist_ok=True)

    async def keep(page: Page, name: str) -> None:
        await page.screenshot(path=folder / f"{name}.png")

    return keep
