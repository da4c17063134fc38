from __future__ import annotations

import pytest
from django.test import Client
from django.utils.safestring import SafeString

from tests import factories
from tests.voting.conftest import Browse
from voting import folds, showing
from voting.models import Comparison, Round

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page_of(client: Client) -> dict[str, object]:
    return client.get("/compare").context  # type: ignore[return-value]


def a_round(texts: list[str], prompt_fields: dict[str, object], turns: int = 1) -> Round:
    prompt_set = factories.make_prompt_set()
    prompt = factories.make_prompt(prompt_set, **prompt_fields)
    candidates = [factories.make_candidate() for _ in range(2)]
    for candidate, text in zip(candidates, texts, strict=True):
        said = [{"text": f"{text} {k}", "tokens": 3, "finish": "stop"} for k in range(turns)]
        factories.make_response(candidate, prompt, turns=said)
    return factories.make_round(candidates, [prompt_set])


def test_a_pair_shows_what_was_stored(browse: Browse) -> None:
    a_round(
        ["**bold** one", "<script>x</script> two"], {"text": "Say *it*.", "system": "Be brief.\n<b>Be</b>"}
    )
    pair = page_of(browse())["pair"]
    htmls = {pair["left"]["html"], pair["right"]["html"]}
    assert any("<strong>bold</strong>" in html for html in htmls)
    assert not any("<script" in html for html in htmls)
    assert all(isinstance(html, SafeString) for html in (*htmls, pair["prompt_html"], pair["system_html"]))
    assert pair["system_html"] == "Be brief.<br>&lt;b&gt;Be&lt;/b&gt;"
    assert (pair["turn_number"], pair["earlier"]) == (1, [])


def test_the_turn_judged_is_the_last_and_the_earlier_ones_stand_beside_each_other(browse: Browse) -> None:
    messages = [{"role": "user", "content": text} for text in ("First?", "Second?")]
    a_round(["A says", "B says"], {"messages": messages}, turns=2)
    pair = page_of(browse())["pair"]
    (earlier,) = pair["earlier"]
    assert "First?" in earlier["prompt_html"] and "Second?" in pair["prompt_html"]
    assert earlier["left_html"].replace(" 0", " 1") == pair["left"]["html"]
    assert pair["turn_number"] == 2


def test_a_pair_holds_no_id_but_its_token(arena: Round, browse: Browse) -> None:
    pair = page_of(browse())["pair"]
    assert set(pair) == {
        "token", "question", "prompt_language", "answer_language", "system_html", "earlier", "prompt_html",
        "left", "right", "turn_number", "content_warning",
    }  # fmt: skip
    assert set(pair["left"]) == {"html", "chars", "rest_html", "rest_chars"}
    assert pair["token"] == str(Comparison.objects.order_by("id")[0].token)


@pytest.mark.parametrize(("language", "question"), showing.QUESTIONS.items())
def test_the_question_is_in_the_language_of_the_page(
    arena: Round, browse: Browse, language: str, question: str
) -> None:
    client = browse()
    assert client.get("/compare", headers={"Accept-Language": language}).context["question"] == question


def test_a_round_may_ask_its_own_question(browse: Browse) -> None:
    factories.make_arena(question_en="Which sounds friendlier?")
    assert page_of(browse())["question"] == "Which sounds friendlier?"


def test_progress_counts_votes_in_blocks_of_twenty() -> None:
    assert [showing.progress(n)["block_done"] for n in (0, 1, 20, 21)] == [0, 1, 20, 1]


def test_the_landing_says_what_is_open_and_what_was_chosen(client: Client, browse: Browse) -> None:
    assert client.get("/").context["rounds_open"] is False
    client.post("/languages", {"languages": "ja", "next": "https://elsewhere.example/"})
    page = client.get("/")
    assert (page.context["chosen"], page.context["votes"]) == ("ja", 0)


def test_only_a_known_notice_is_shown(arena: Round, browse: Browse) -> None:
    client = browse()
    assert client.get("/compare?notice=undone").context["notice"] == "undone"
    assert client.get("/compare?notice=<b>").context["notice"] is None


def test_languages_lead_to_a_page_of_ours(client: Client) -> None:
    there = client.post("/languages", {"languages": "ja", "next": "https://elsewhere.example/"})
    assert (there.status_code, there["Location"]) == (303, "/compare")
    assert client.post("/languages", {"languages": "ja", "next": "/"})["Location"] == "/"


def test_a_long_answer_is_cut_after_a_block() -> None:
    block = f"<p>{'word ' * 60}</p>\n"
    shown, rest = folds.fold(block * 8, language="en")
    assert shown.endswith("</p>") and shown.count("<p>") == rest.count("<p>") == 4
    assert shown + rest == block * 8


@pytest.mark.parametrize(
    "html",
    ["", "<p>short</p>", f"<ol><li>{'a ' * 900}</li><li>b</li></ol>", f"<p>{'a ' * 700}</p><p>few more</p>"],
)
def test_what_is_short_or_one_block_or_nearly_over_stays_whole(html: str) -> None:
    assert folds.fold(html, language="en") == (html, "")
