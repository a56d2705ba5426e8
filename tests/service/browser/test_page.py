"""The page, used as a person would: talking, leaving in mid-answer and coming back, stopping, and keeping order."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser, Page, expect

from tests.service.conftest import Start
from tests.service.running import Service
from tests.service.scripted import words

from .conftest import Look, new_page
from .watching import answer, say, seen_of_spinner, spinner, stop_button, watch_spinner


async def test_the_spinner_is_seen_between_start_and_stop_and_never_after(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await look(page, "01-welcome")
    await watch_spinner(page)
    await say(page, "search 1.5; words 20 0.03; search 0.6; words 5 0")
    await expect(spinner(page)).to_be_visible()
    await look(page, "02-searching")
    await expect(answer(page)).to_contain_text("word4")
    await expect(stop_button(page)).to_be_hidden()
    await expect(spinner(page)).to_be_hidden()
    await look(page, "03-answered")
    assert await seen_of_spinner(page) == [False, True, False, True, False]
    await page.reload()
    await expect(answer(page)).to_contain_text("word4")
    await watch_spinner(page)
    await expect(page.locator("li.assistant")).to_have_count(2)
    assert await seen_of_spinner(page) == [False]


async def test_the_spinner_goes_when_an_answer_is_stopped_or_fails_during_a_search(service: Service, page: Page) -> None:
    await page.goto(service.base)
    await say(page, "search 60")
    await expect(spinner(page)).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(spinner(page)).to_be_hidden()
    await expect(stop_button(page)).to_be_hidden()
    await say(page, "search 0.2; fail")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(spinner(page)).to_be_hidden()


async def test_a_reload_in_mid_answer_goes_on_from_where_it_was(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await say(page, "search 0.3; words 60 0.05")
    await expect(answer(page)).to_contain_text("word9")
    await page.reload()
    await expect(answer(page)).to_contain_text("word9")
    await expect(stop_button(page)).to_be_visible()
    await look(page, "04-reloaded")
    await expect(answer(page)).to_have_text(words(60).strip())
    await expect(page.locator("li.assistant")).to_have_count(1)
    await expect(page.locator("li.user")).to_have_count(1)


async def test_a_reload_during_a_search_shows_the_spinner_again(service: Service, page: Page) -> None:
    await page.goto(service.base)
    await say(page, "search 4; words 3 0")
    await expect(spinner(page)).to_be_visible()
    await page.reload()
    await expect(spinner(page)).to_be_visible()
    await expect(answer(page)).to_contain_text("word2")
    await expect(spinner(page)).to_be_hidden()


async def test_two_tabs_on_one_thread_see_the_same_answer(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await say(page, "words 2 0")
    await expect(answer(page)).to_contain_text("word1")
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(answer(other)).to_contain_text("word1")
    await say(page, "words 60 0.05")
    for each in (page, other):
        await expect(each.locator("li.assistant")).to_have_count(2)
        await expect(answer(each)).to_contain_text("word9")
    # Whoever speaks meanwhile is told, and loses nothing.
    await expect(stop_button(other)).to_be_visible()
    for each in (page, other):
        await expect(answer(each)).to_have_text(words(60).strip())
    await look(other, "05-second-tab")
    await say(other, "words 4 0")
    await expect(page.locator("li.assistant")).to_have_count(3)
    await expect(page.locator("li.user")).to_have_count(3)


async def test_a_stop_ends_the_answer_and_says_so(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await say(page, "words 500 0.05")
    await expect(answer(page)).to_contain_text("word5")
    await stop_button(page).click()
    await expect(page.get_by_text("Stopped here.")).to_be_visible()
    await look(page, "06-stopped")
    said = await answer(page).inner_text()
    await page.reload()
    await expect(page.get_by_text("Stopped here.")).to_be_visible()
    assert await answer(page).inner_text() == said
    await say(page, "words 2 0")
    await expect(answer(page)).to_have_text(words(2).strip())


async def test_a_server_that_is_killed_and_comes_back_in_mid_answer(own_service: Service, page: Page, look: Look) -> None:
    await page.goto(own_service.base)
    await say(page, "search 0.2; words 500 0.05")
    await expect(answer(page)).to_contain_text("word9")
    await watch_spinner(page)
    own_service.kill()
    await expect(page.get_by_text("The server does not answer.")).to_be_visible()
    await look(page, "07-server-away")
    await own_service.start()
    await expect(page.get_by_text("Interrupted before it was finished.")).to_be_visible()
    await look(page, "08-server-back")
    await expect(answer(page)).to_contain_text("word9")
    await expect(stop_button(page)).to_be_hidden()
    assert await seen_of_spinner(page) == [False]
    await page.get_by_role("button", name="Ask again").click()
    await expect(answer(page)).to_contain_text("word5")
    await expect(page.locator("li.assistant")).to_have_count(1)


async def test_a_server_that_is_restarted_in_order_keeps_the_answer(start_service: Start, page: Page) -> None:
    service = await start_service(SCRIPTED_GRACE="8")
    await page.goto(service.base)
    await say(page, "words 40 0.05")
    await expect(answer(page)).to_contain_text("word5")
    await service.terminate()
    await service.start()
    await expect(answer(page)).to_have_text(words(40).strip())
    await expect(page.get_by_text("Interrupted")).to_have_count(0)


async def test_agent_profiles_arrive_and_are_answered(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await say(page, "profiles")
    await expect(page.get_by_text("Ariadne", exact=True)).to_be_visible()
    await expect(answer(page)).to_contain_text("word2")
    await look(page, "09-profiles")
    await page.reload()
    await expect(page.get_by_text("Page Finder", exact=True)).to_be_visible()
    await expect(page.locator("li.assistant")).to_have_count(1)


async def test_threads_are_listed_renamed_opened_and_deleted(service: Service, page: Page) -> None:
    await page.goto(service.base)
    await say(page, "words 2 0; one of a kind")
    row = page.locator("#threads li").first
    await expect(row).to_contain_text("words 2 0; one of a kind")
    await row.get_by_role("button", name="Rename").click()
    await page.get_by_role("textbox", name="Name").fill("<b>A better name</b>")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=2)).to_have_text("<b>A better name</b>")
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator("li.assistant")).to_have_count(0)
    await page.get_by_role("button", name="<b>A better name</b>", exact=True).click()
    await expect(answer(page)).to_contain_text("word")
    await page.get_by_role("button", name="Delete <b>A better name</b>").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_role("button", name="<b>A better name</b>", exact=True)).to_have_count(0)
    await expect(page.get_by_role("heading", level=2)).to_have_text("New conversation")


async def test_a_file_is_attached_and_found_again(service: Service, page: Page, look: Look) -> None:
    await page.goto(service.base)
    await page.locator("#file").set_input_files({"name": "a note.txt", "mimeType": "text/plain", "buffer": b"hello"})
    await expect(page.get_by_role("button", name="Remove a note.txt")).to_be_visible()
    await say(page, "words 2 0")
    await expect(page.get_by_role("link", name="a note.txt")).to_be_visible()
    await expect(answer(page)).to_contain_text("word1")
    await page.reload()
    link = page.get_by_role("link", name="a note.txt")
    await expect(link).to_be_visible()
    reply = await page.request.get(service.base + str(await link.get_attribute("href")))
    assert await reply.body() == b"hello"


async def test_the_page_fits_a_phone_in_the_dark_and_works_by_keyboard(service: Service, browser: Browser, look: Look) -> None:
    page = await new_page(browser, width=390, height=780, dark=True)
    await page.goto(service.base)
    await page.get_by_role("button", name="How do I keep a thread on Redis?").click()
    await expect(answer(page)).to_contain_text("word0")
    await look(page, "10-phone")
    await page.get_by_role("button", name="Show the list").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="New conversation")).to_be_focused()
    await asyncio.sleep(0.3)
    await look(page, "11-phone-list")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="New conversation")).to_be_hidden()
    wide = await page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
