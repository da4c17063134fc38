"""What JavaScript adds: the next pair at the click, the same vote sent again; and the page without it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories
from voting.models import Vote

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def open_page(browser: Browser, site: str, **options: bool) -> Page:
    factories.make_arena(n_prompts=6, languages=("en",))
    page = browser.new_context(locale="en-US", **options).new_page()  # type: ignore[arg-type]
    page.goto(site)
    page.locator("[name=languages][value=en]").click()
    expect(page.locator("#round")).to_be_visible()
    return page


def test_the_next_pair_is_shown_at_the_click(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    wanted = page.locator("#prefetched").evaluate(
        "t => t.content.querySelector('.prompt').textContent.trim()"
    )
    page.route("**/vote/*", lambda route: None)  # the answer never comes
    page.locator("[name=vote][value=left]").click()
    expect(page.locator("#main .prompt")).to_have_text(wanted)


def test_a_vote_that_did_not_go_through_is_sent_again(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    first = page.locator("#main .prompt").inner_text()
    page.route("**/vote/*", lambda route: route.abort())
    page.locator("[name=vote][value=tie]").click()
    expect(page.locator("[data-notice=retry]")).to_be_visible()
    assert page.locator("#main .prompt").inner_text() == first, "the judged pair is back"
    assert not Vote.objects.exists()
    page.unroute("**/vote/*")
    page.locator("[data-notice=retry] [data-resend]").click()
    expect(page.locator(".strip")).to_contain_text("About the same", ignore_case=True)
    assert [vote.outcome for vote in Vote.objects.all()] == ["tie"]


def test_undo_brings_the_pair_back(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    judged = page.locator("#main .pair").inner_text()
    page.keyboard.press("Digit4")
    expect(page.locator(".strip")).to_contain_text("B is better")
    page.locator(".strip button", has_text="Undo").click()
    expect(page.locator("#main .pair")).to_have_text(judged, use_inner_text=True)
    assert Vote.objects.get().undone_at is not None


def test_reasons_save_themselves(site: str, browser: Browser) -> None:
    page = open_page(browser, site)
    page.keyboard.press("Digit1")
    with page.expect_response("**/reasons/*") as answer:
        page.locator(".chip", has_text="Accuracy").click()
    assert answer.value.status == 204 and Vote.objects.get().reasons == ["accuracy"]


def test_it_works_without_javascript(site: str, browser: Browser) -> None:
    page = open_page(browser, site, java_script_enabled=False)
    for outcome in ("left", "both_bad"):
        page.locator(f"[name=vote][value={outcome}]").click()
        expect(page.locator(".strip")).to_contain_text("Recorded")
    page.locator("[name=skip][value=skip]").click()
    assert list(Vote.objects.order_by("id").values_list("outcome", flat=True)) == ["left", "both_bad"]
