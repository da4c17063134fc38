"""The pages: who may see them, and that they say what Figures says."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from generation import heartbeat, plans
from ranking.models import Figures
from tests import factories
from voting.models import Comparison, Outcome, Round, Voter

pytestmark = pytest.mark.django_db

PAGES = ["/dashboard/first-steps", "/dashboard/plans/", "/dashboard/rounds/", "/dashboard/strip"]
OF_A_ROUND = ["overview", "leaderboard"]


def outcomes(*cycle: str) -> Callable[[Comparison], str]:
    ahead: Iterator[str] = iter(cycle * 10_000)
    return lambda comparison: next(ahead)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def pages_of(arena: Round) -> list[str]:
    return [*PAGES, *(reverse(name, args=[arena.slug]) for name in OF_A_ROUND)]


def test_strangers_are_sent_to_the_login_page(client: Client, arena: Round) -> None:
    for page in pages_of(arena):
        response = client.get(page)
        assert response.status_code == 302 and response["Location"].startswith("/accounts/login/"), page


def test_volunteers_are_refused(client: Client, arena: Round, volunteer_account: User) -> None:
    client.force_login(volunteer_account)
    assert {client.get(page).status_code for page in pages_of(arena)} == {403}
    assert client.get("/api/v1/rounds/").status_code == 403


def test_the_login_page_says_no_in_words(client: Client) -> None:
    page = client.post("/accounts/login/", {"username": "x", "password": "y"}).content.decode()
    assert "not right" in page and page.count("<button") == 1


def test_an_empty_arena_leads_to_the_first_steps(as_maintainer: Client) -> None:
    page = as_maintainer.get("/dashboard/", follow=True)
    assert page.redirect_chain[-1][0] == "/dashboard/first-steps"
    assert "Step 1 is next" in page.content.decode()


def test_a_round_without_votes(as_maintainer: Client, arena: Round) -> None:
    page = text_of(as_maintainer.get("/dashboard/", follow=True).content.decode())
    assert "No votes yet" in page and "3 candidates are ready" in page
    assert as_maintainer.get(reverse("leaderboard", args=[arena.slug])).status_code == 200


def test_one_voter(as_maintainer: Client, arena: Round, voter: Voter) -> None:
    factories.cast_many(arena, voter, outcomes(Outcome.LEFT, Outcome.TIE), limit=20)
    page = text_of(as_maintainer.get(reverse("overview", args=[arena.slug])).content.decode())
    assert "More voters needed: all 20 votes are one person’s" in page
    assert "20 votes by 1 voter" in page
    body = Figures.objects.get(round=arena, level="candidate", slice="all").body
    assert {row["p_best"] for row in body["rows"]} == {None}


@pytest.fixture
def voted(arena: Round, voter: Voter, other_voter: Voter) -> Round:
    factories.cast_many(arena, voter, outcomes("left", "right", "left", "tie", "both_bad"))
    factories.cast_many(arena, other_voter, outcomes("right", "left", "left"))
    return arena


@pytest.mark.parametrize("level", ["candidate", "checkpoint", "sampler"])
@pytest.mark.parametrize("slice_", ["all", "ja", "en-without_insiders"])
def test_the_leaderboard_shows_the_counts_of_figures(
    as_maintainer: Client, voted: Round, level: str, slice_: str
) -> None:
    url = reverse("leaderboard", args=[voted.slug])
    page = as_maintainer.get(url, {"level": level, "slice": slice_}).content.decode()
    body = Figures.objects.get(round=voted, level=level, slice=slice_).body
    board = page[page.index('id="board"') : page.index('id="win-rates"')] if body["votes"] else page
    rows = [text_of(row) for row in re.findall(r"<tr.*?</tr>", board, re.DOTALL)]
    for row in body["rows"]:
        shown = next(one for one in rows if row["label"] in one)
        assert f" {row['wins']} {row['draws']} {row['losses']} {row['votes']} " in shown


def test_the_overview_tells_the_numbers_of_figures(as_maintainer: Client, voted: Round) -> None:
    page = text_of(as_maintainer.get(reverse("overview", args=[voted.slug])).content.decode())
    body = Figures.objects.get(round=voted, level="candidate", slice="all").body
    assert f"{body['votes']} votes by 2 voters: {body['votes_ja']} Japanese" in page
    assert body["verdict"]["leader"] in page
    for row in body["rows"]:
        assert row["label"] in page and f" {row['votes']} " in page


def test_a_vote_is_on_the_next_page(as_maintainer: Client, voted: Round) -> None:
    url = reverse("overview", args=[voted.slug])
    assert "48 votes by 2 voters" in text_of(as_maintainer.get(url).content.decode())
    factories.cast_many(voted, factories.make_voter(), outcomes("left"), limit=1)
    assert "49 votes by 3 voters" in text_of(as_maintainer.get(url).content.decode())


def test_downloads_hold_the_figures(as_maintainer: Client, voted: Round) -> None:
    url = reverse("figure", args=[voted.slug, "strengths", "csv"])
    comment, *rows = as_maintainer.get(url).content.decode().splitlines()
    body = Figures.objects.get(round=voted, level="candidate", slice="all").body
    assert comment.startswith("# ") and f"{body['votes']} votes" in comment
    read = list(csv.DictReader(rows))
    assert [(row["label"], int(row["wins"]), float(row["elo"])) for row in read] == [
        (row["label"], row["wins"], row["elo"]) for row in body["rows"]
    ]
    for figure in ("strengths", "p-best", "win-rates"):
        drawing = as_maintainer.get(reverse("figure", args=[voted.slug, figure, "svg"]))
        assert drawing["Content-Type"] == "image/svg+xml" and b"</svg>" in drawing.content


def test_simulated_votes_are_called_so_everywhere(as_maintainer: Client) -> None:
    arena = factories.make_arena(kind="simulated")
    voter = factories.make_voter(group="simulated")
    factories.cast_many(arena, voter, outcomes("left", "right"))
    for page in pages_of(arena)[-2:]:
        assert as_maintainer.get(page).content.decode().count("Simulated votes") >= 2
    for kind in ("csv", "svg"):
        made = as_maintainer.get(reverse("figure", args=[arena.slug, "strengths", kind]))
        assert b"Simulated votes" in made.content


def test_no_page_has_inline_style_or_script(as_maintainer: Client, voted: Round) -> None:
    for page in [*pages_of(voted), "/accounts/login/", reverse("export", args=[voted.slug])]:
        html = as_maintainer.get(page, follow=page != "/accounts/login/").content.decode()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", html), page


def test_unknown_levels_slices_and_rounds_are_not_found(as_maintainer: Client, arena: Round) -> None:
    url = reverse("leaderboard", args=[arena.slug])
    for query in ({"level": "voter"}, {"slice": "fr"}, {"slice": "all-without"}):
        assert as_maintainer.get(url, query).status_code == 404
    assert as_maintainer.get(reverse("overview", args=["none"])).status_code == 404


def test_plans_poll_only_while_one_is_running(as_maintainer: Client) -> None:
    heartbeat.client().flushdb()  # a worker of another test may have been seen half a minute ago
    checkpoint = factories.make_checkpoint(source="path", location="/nowhere")
    prompt_set = factories.make_prompt_set()
    factories.make_prompt(prompt_set)
    made = factories.make_candidate(checkpoint=checkpoint)
    plan = plans.create(name="sweep", candidates=[made], prompt_sets=[prompt_set])
    assert 'hx-trigger="every 3s"' not in as_maintainer.get("/dashboard/plans/").content.decode()
    plans.start(plan=plan)
    page = as_maintainer.get("/dashboard/plans/").content.decode()
    assert 'hx-trigger="every 3s"' in page and "0 of 1 response," in text_of(page)
    fragment = as_maintainer.get("/dashboard/plans/", headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="plans"') and "<html" not in fragment
    assert "No generation worker seen." in text_of(page)


def test_the_api_gives_what_the_page_shows(as_maintainer: Client, voted: Round) -> None:
    listed = as_maintainer.get("/api/v1/rounds/").json()
    assert set(listed) == {"next", "previous", "results"}
    assert [one["slug"] for one in listed["results"]] == [voted.slug]
    url = f"/api/v1/rounds/{voted.slug}/ranking/"
    given = as_maintainer.get(url, {"level": "checkpoint", "slice": "ja"}).json()
    assert given == {
        "level": "checkpoint",
        "slice": "ja",
        **Figures.objects.get(round=voted, level="checkpoint", slice="ja").body,
    }
    assert as_maintainer.get(url, {"level": "voter"}).status_code == 400
