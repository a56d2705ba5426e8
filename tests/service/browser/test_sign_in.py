"""The page where the service asks who people are: it says so, takes a token, sends it with everything, and lets go of it."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from clew.settings import Settings
from tests.service.api.conftest import Api, serving
from tests.service.api.signing import ISSUER, KeyServer, Signer

from .conftest import Look, new_page
from .watching import answer, say

OLD, NEW = Signer("old"), Signer("new")
PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    """Where the public keys of the sign-in are."""
    server = KeyServer()
    yield server
    server.close()


@pytest.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_server: KeyServer) -> AsyncIterator[Api]:
    """A service that takes tokens."""
    key_server.keys = [OLD.jwk()]
    # So that a key which is taken away counts no more at once.
    monkeypatch.setattr("clew.service.jwks.PAUSE_S", 0.0)
    monkeypatch.setattr("clew.service.jwks.KEEP_S", 0.0)
    env = {
        "CLEW_URL": f"sqlite:///{tmp_path}/clew.db",
        "CLEW_FILES_URL": "memory://",
        "CLEW_JWKS_URL": key_server.url,
        "CLEW_JWT_ISSUER": ISSUER,
    }
    async with serving(Settings.from_env(env, None)) as api:
        yield api


def box(page: Page) -> Locator:
    """Return the box that takes a token."""
    return page.get_by_label("Token, or API key")


async def sign_in(page: Page, token: str) -> None:
    """Paste a token, and press Enter."""
    await box(page).fill(token)
    await box(page).press("Enter")


async def test_the_page_asks_who_one_is_and_every_request_says_so(
    guarded: Api, key_server: KeyServer, page: Page, look: Look
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(guarded.base)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await look(page, "20-sign-in")
    await page.keyboard.press("Escape")
    await expect(box(page)).to_be_visible()
    for wrong, why in ((OLD.sign("ada", exp=int(time.time()) - 99), "has expired"), ("no token", "This is no token")):
        await sign_in(page, wrong)
        await expect(page.get_by_role("alert")).to_contain_text(why)
    await look(page, "21-sign-in-refused")
    first = OLD.sign("ada", email="ada@example.org")
    await sign_in(page, first)
    await expect(box(page)).to_be_hidden()
    for name, kind, content in (("a note.txt", "text/plain", b"hello"), ("dot.png", "image/png", PIXEL)):
        await page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    await expect(page.get_by_role("button", name="Remove dot.png")).to_be_visible()
    await say(page, "words 3 0")
    await expect(answer(page)).to_contain_text("word2")
    await expect(page.get_by_role("img", name="dot.png")).to_have_js_property("naturalWidth", 1)
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="a note.txt").click()
    saved = await saving.value
    assert (saved.suggested_filename, Path(await saved.path()).read_bytes()) == ("a note.txt", b"hello")
    await expect(page.get_by_text("ada@example.org")).to_be_visible()
    await look(page, "22-signed-in")
    # The token holds no more while the page is open: what is said then waits for the next one.
    key_server.keys = [NEW.jwk()]
    await say(page, "words 4 0.01")
    await expect(page.get_by_role("alert")).to_contain_text("a key that is not known")
    await sign_in(page, NEW.sign("ada", email="ada@example.org"))
    await expect(answer(page)).to_contain_text("word3")
    await expect(page.locator("li.user")).to_have_count(2)
    await page.reload()
    await expect(answer(page)).to_contain_text("word3")
    await page.get_by_role("button", name="Sign out").click()
    await expect(box(page)).to_be_visible()
    await expect(page.locator("#threads li")).to_have_count(0)
    assert await page.evaluate("() => sessionStorage.length") == 0
    assert not [url for url in asked if first in url or "token" in url]


async def test_a_sign_in_page_sends_its_token_behind_the_address_where_it_does_not_stay(
    guarded: Api, browser: Browser, look: Look
) -> None:
    page = await new_page(browser, width=390, height=780, dark=True)
    await page.goto(f"{guarded.base}/#error=access_denied&error_description=Email+link+has+expired")
    await expect(page.get_by_role("alert")).to_have_text("Email link has expired.")
    await look(page, "23-sign-in-phone")
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 390
    # It loads anew then; what is said before its scripts are there must not be lost.
    loads = asyncio.Event()

    async def bring_late(route: Route) -> None:
        await loads.wait()
        await route.continue_()

    await page.route("**/page.js", bring_late)
    await page.goto(f"{guarded.base}/#access_token={OLD.sign('ada')}&token_type=bearer&expires_in=3600")
    await expect(box(page)).to_be_hidden()
    await expect(page.get_by_role("textbox", name="Message")).to_be_disabled()
    loads.set()
    await say(page, "words 2 0")
    await expect(answer(page)).to_contain_text("word1")
    assert "token" not in page.url
    thread = page.url.rpartition("#")[2]
    # Another person in the same tab sees nothing of the first one's.
    await page.goto(f"{guarded.base}/#access_token={OLD.sign('eve')}&token_type=bearer")
    await expect(page.locator("#no-threads")).to_be_attached()
    await expect(page.locator("#threads li")).to_have_count(0)
    await expect(page.locator("li.assistant")).to_have_count(0)
    await page.get_by_role("button", name="Show the list").click()
    await expect(page.get_by_text("eve", exact=True)).to_be_visible()
    await asyncio.sleep(0.3)
    await look(page, "24-signed-in-phone")
    await page.goto(f"{guarded.base}/#{thread}")
    await expect(page.get_by_text("not there (any more)")).to_be_visible()
