"""A ballot that is on its way, or failed: nothing is counted for the wrong pair, and nothing typed is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.test_voting_page import open_page
from voting.models import Comparison, Vote

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_key_while_a_vote_is_on_its_way_does_not_change_it(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    held: list[Route] = []
    page.route("**/vote/*", lambda route: held.append(route))
    page.keyboard.press("Digit1")
    page.wait_for_timeout(300)
    page.keyboard.press("Digit4")  # meant for the next pair, which is in sight already
    page.wait_for_timeout(300)
    assert len(held) == 1
    held[0].abort()
    expect(page.locator("[data-notice=retry]")).to_be_visible()
    page.unroute("**/vote/*")
    page.locator("[data-notice=retry] [data-resend]").click()
    expect(page.locator(".strip")).to_contain_text("A is better")
    assert [vote.outcome for vote in Vote.objects.all()] == ["left"]


def test_a_skip_that_failed_is_sent_again(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    token = page.locator("#round").get_attribute("data-token") or ""
    page.route("**/skip/*", lambda route: route.abort())
    page.keyboard.press("KeyS")
    expect(page.locator("[data-notice=retry]")).to_be_visible()
    page.unroute("**/skip/*")
    page.locator("[data-notice=retry] [data-resend]").click()
    expect(page.locator("#round")).not_to_have_attribute("data-token", token)
    assert Comparison.objects.exclude(state="open").count() == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_enter_in_a_reason_does_not_undo_the_vote(site: str, browser: Browser, javascript: bool) -> None:
    page = open_page(browser, site, java_script_enabled=javascript)
    page.locator("[name=vote][value=left]").click()
    expect(page.locator(".strip")).to_be_visible()
    page.locator(".chip input").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(1000)
    assert Vote.objects.get().undone_at is None


def test_a_comment_is_kept_when_the_next_vote_follows(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    page.keyboard.press("Digit1")
    page.locator(".chip", has_text="Comment").click()
    page.fill("#comment", "Clear and short.")
    with page.expect_response("**/reasons/*"):
        page.locator("[name=vote][value=right]").click()
    assert Vote.objects.earliest("id").comment == "Clear and short."


def test_keys_work_where_storage_is_forbidden(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })")
    page.reload()
    page.keyboard.press("Digit1")
    expect(page.locator(".strip")).to_be_visible()
