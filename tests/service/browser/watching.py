"""What a test sees of a page: a watch over its spinner that misses nothing, and its parts by the names people have for them."""

from __future__ import annotations

from playwright.async_api import Locator, Page

# Notes each change of the spinner, beside each animation event that the page was sent.
WATCH = """() => {
  window.seen = [];
  const spinner = document.getElementById("searching");
  const note = () => {
    const shown = !spinner.hidden && spinner.checkVisibility();
    if (window.seen.at(-1) !== shown) window.seen.push(shown);
  };
  new MutationObserver(note).observe(spinner, { attributes: true });
  note();
}"""


async def watch_spinner(page: Page) -> None:
    """Begin to note whether the spinner is seen."""
    await page.evaluate(WATCH)


async def seen_of_spinner(page: Page) -> list[bool]:
    """Return what was noted: each change, from what it was at first."""
    found: list[bool] = await page.evaluate("() => window.seen")
    return found


async def say(page: Page, text: str) -> None:
    """Write a message and send it with the keyboard."""
    box = page.get_by_role("textbox", name="Message")
    await box.fill(text)
    await box.press("Enter")


def answer(page: Page) -> Locator:
    """Return the newest answer."""
    return page.locator("li.assistant .text").last


def spinner(page: Page) -> Locator:
    """Return the search animation."""
    return page.get_by_text("Searching…")


def stop_button(page: Page) -> Locator:
    """Return the button that ends an answer."""
    return page.get_by_role("button", name="Stop")
