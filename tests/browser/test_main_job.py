"""The main job as people do it: vote 20 pairs by keyboard and mouse in both languages, then read the dashboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import Role, User
from ranking import folding, refresh
from ranking.models import Figures
from tests import factories
from voting.models import Comparison, Vote

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEYS = {
    "left": ["Digit1", "ArrowLeft"],
    "tie": ["Digit2"],
    "both_bad": ["Digit3"],
    "right": ["Digit4", "ArrowRight"],
}
OUTCOMES = ["left", "tie", "right", "both_bad"]


def cast(page: Page, outcome: str, *, by_key: bool, n: int) -> None:
    """One vote; returns when the page shows the next pair and says what was recorded."""
    token = page.locator("#round").get_attribute("data-token")
    with page.expect_response(re.compile(r"/vote/")) as answer:
        if by_key:
            keys = KEYS[outcome]
            page.keyboard.press(keys[n % len(keys)])
        else:
            page.locator(f"#round button[name=vote][value={outcome}]").click()
    assert answer.value.status == 200
    expect(page.locator("#round")).not_to_have_attribute("data-token", token or "")


def vote_ten(page: Page, site: str, language: str) -> list[str]:
    page.goto(site + "/")
    if page.locator("html").get_attribute("lang") != language:
        page.locator("form[action*=setlang] button").first.click()
        expect(page.locator("html")).to_have_attribute("lang", language)
    page.locator("[name=languages][value=both]").first.click(force=True)
    page.goto(site + "/compare")
    cast_so_far = []
    for n in range(10):
        outcome = OUTCOMES[n % 4] if n % 3 else "left"
        cast(page, outcome, by_key=n % 2 == 0, n=n)
        cast_so_far.append(outcome)
    return cast_so_far


def test_twenty_votes_in_two_languages_reach_the_dashboard_exactly(site: str, browser: Browser) -> None:
    arena = factories.make_arena(n_candidates=3, n_prompts=8)
    User.objects.create_user("maintainer", password="correct horse", role=Role.MAINTAINER)
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
    said = vote_ten(page, site, "en") + vote_ten(page, site, "ja")
    assert list(Vote.objects.order_by("id").values_list("outcome", flat=True)) == said
    assert set(Vote.objects.values_list("ui_language", flat=True)) == {"en", "ja"}
    assert {"key", "mouse"} <= set(Vote.objects.values_list("input", flat=True))
    assert errors == []

    folding.fold(round=arena)
    refresh.refresh(round=arena)
    expected = expected_counts()
    page.goto(f"{site}/dashboard/rounds/{arena.slug}/leaderboard")
    page.locator("[name=username]").fill("maintainer")
    page.locator("[name=password]").fill("correct horse")
    page.locator("form:has([name=password]) button").click()
    for label, (wins, draws, losses, both_bad) in expected.items():
        row = page.locator("tr", has_text=label).first
        expect(row).to_contain_text(label)
        body = Figures.objects.get(round=arena, level="candidate", slice="all").body
        shown = next(one for one in body["rows"] if one["label"] == label)
        assert (shown["wins"], shown["draws"], shown["losses"]) == (wins, draws, losses)
        assert shown["both_bad"] == both_bad
        for count in (wins, draws, losses):
            expect(row).to_contain_text(str(count))
    page.goto(f"{site}/dashboard/rounds/{arena.slug}/")
    expect(page.locator("body")).to_contain_text("20 votes")
    expect(page.locator("body")).to_contain_text("more voters", ignore_case=True)


def expected_counts() -> dict[str, tuple[int, int, int, int]]:
    """(wins, draws, losses, both bad) of every candidate, counted from the votes themselves."""
    counts: dict[str, list[int]] = {}
    for vote in Vote.objects.select_related(
        "comparison__left_response__candidate", "comparison__right_response__candidate"
    ):
        comparison: Comparison = vote.comparison
        for side, response in (("left", comparison.left_response), ("right", comparison.right_response)):
            row = counts.setdefault(response.candidate.label, [0, 0, 0, 0])
            if vote.outcome in ("tie", "both_bad"):
                row[1] += 1
                row[3] += vote.outcome == "both_bad"
            else:
                row[0 if vote.outcome == side else 2] += 1
    return {label: (row[0], row[1], row[2], row[3]) for label, row in counts.items()}
