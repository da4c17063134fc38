"""No byte that reaches a volunteer tells which candidate wrote what. First proved: the search finds what is planted."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings

from generation.models import Candidate, Response
from tests import factories
from voting.models import Comparison, Round, RoundCandidate, Vote

pytestmark = pytest.mark.django_db

SENTINELS = {
    "label": "zq-label-sentinel",
    "checkpoint": "zq-checkpoint-sentinel",
    "path": "zq-path-sentinel",
    "revision": "zq-revision-sentinel",
    "template": "zq-template-sentinel",
    "sampler": "zq-sampler-sentinel",
    "manifest": "zq-manifest-sentinel",
}
N_VOTES = 20


@pytest.fixture
def blind_arena() -> Round:
    """Everything that could identify a candidate carries its own sentinel; ids of answers start at 8 digits."""
    with connection.cursor() as cursor:
        for table in (
            "generation_response",
            "generation_candidate",
            "generation_checkpoint",
            "generation_manifest",
        ):
            cursor.execute(f"ALTER SEQUENCE {table}_id_seq RESTART WITH 73194825")
    prompt_set = factories.make_prompt_set()
    checkpoint = factories.make_checkpoint(
        f"{SENTINELS['checkpoint']}", location=SENTINELS["path"], revision=SENTINELS["revision"]
    )
    candidates = [
        factories.make_candidate(
            f"{SENTINELS['label']}-{n}",
            checkpoint,
            template=SENTINELS["template"] + str(n),
            sampler={"temperature": 0.5, "stop": [SENTINELS["sampler"] + str(n)]},
        )
        for n in range(3)
    ]
    for language in ("ja", "en"):
        for _ in range(5):
            prompt = factories.make_prompt(prompt_set, language=language)
            for candidate in candidates:
                factories.make_response(candidate, prompt, manifest={"host": SENTINELS["manifest"]})
    return factories.make_round(candidates, [prompt_set])


def everything_in(response: HttpResponse) -> str:
    """Status line, headers, cookies as sent and opened, and the body, unpacked."""
    body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    cookies = [morsel.OutputString() for morsel in response.cookies.values()]
    parts = [str(dict(response.headers)), *cookies, body.decode(errors="replace")]
    return "\n".join([*parts, *opened(" ".join(parts))])


def opened(text: str) -> list[str]:
    """What is written in base64 anywhere in `text`: signed cookies and tokens hide nothing."""
    found = []
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        raw = run.replace("-", "+").replace("_", "/")
        raw = raw[:-1] if len(raw) % 4 == 1 else raw
        found.append(base64.b64decode(raw + "=" * (-len(raw) % 4)).decode(errors="replace"))
    return found


def found_in(pages: list[str], wanted: list[str]) -> set[str]:
    return {word for word in wanted for page in pages if word in page}


def a_session(client: Client, n_votes: int = N_VOTES) -> list[str]:
    """Land, choose languages, vote, look at help and undo, skip and report, as a volunteer does. All that came back."""
    seen = [everything_in(client.get("/")), everything_in(client.post("/languages", {"languages": "both"}))]
    seen.append(everything_in(client.get("/compare")))
    for turn in range(n_votes):
        token = Comparison.objects.filter(state="open").order_by("id")[0].token
        outcome = ("left", "tie", "both_bad", "right")[turn % 4]
        seen.append(
            everything_in(client.post(f"/vote/{token}", {"vote": outcome}, headers={"HX-Request": "true"}))
        )
        if turn % 7 == 3:
            seen.append(everything_in(client.post("/undo", headers={"HX-Request": "true"})))
        if turn % 7 == 5:
            token = Comparison.objects.filter(state="open").order_by("id")[0].token
            path = f"/skip/{token}" if turn % 2 else f"/report/{token}"
            data = {"skip": "skip", "problem": "offensive"}
            seen.append(everything_in(client.post(path, data, headers={"HX-Request": "true"})))
        seen.append(everything_in(client.get("/compare")))
    seen.append(everything_in(client.get("/compare?" + "x" * 50)))
    seen.append(everything_in(client.get("/vote/00000000-0000-4000-8000-000000000000")))
    return seen


def wanted(arena: Round) -> list[str]:
    ids = [*Candidate.objects.values_list("id", flat=True), *Response.objects.values_list("id", flat=True)]
    shas = [
        *Candidate.objects.values_list("settings_sha", flat=True),
        *Response.objects.values_list("norm_sha", flat=True),
    ]
    assert RoundCandidate.objects.filter(round=arena).count() == 3
    return [*SENTINELS.values(), *map(str, ids), *shas]


def test_a_whole_session_gives_nothing_away(blind_arena: Round, client: Client) -> None:
    pages = a_session(client)
    assert Vote.objects.count() >= N_VOTES
    assert any("Answer number" in page for page in pages), (
        "the answers themselves must be there, or nothing is proved"
    )
    assert found_in(pages, wanted(blind_arena)) == set()


def test_static_files_give_nothing_away(blind_arena: Round) -> None:
    files = [p for p in Path(settings.BASE_DIR / "static").rglob("*") if p.is_file()]
    assert found_in([p.read_text(errors="replace") for p in files], wanted(blind_arena)) == set()


Planter = Callable[[HttpResponse, str], None]


def in_header(response: HttpResponse, word: str) -> None:
    response["X-Debug"] = word


def in_cookie(response: HttpResponse, word: str) -> None:
    response.set_cookie("hint", base64.b64encode(f"...{word}...".encode()).decode())


def in_page(response: HttpResponse, word: str) -> None:
    response.content = response.content + f"<!-- {word} -->".encode()


def in_hidden_template(response: HttpResponse, word: str) -> None:
    response.content = response.content.replace(
        b"</body>", f"<template><i data-x='{word}'></i></template></body>".encode()
    )


class Plant:
    """A middleware that gives away one word in one place."""

    place: Planter = staticmethod(in_header)
    word = ""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.streaming:
            type(self).place(response, self.word)
        return response


@pytest.mark.parametrize("channel", SENTINELS)
@pytest.mark.parametrize("place", [in_header, in_cookie, in_page, in_hidden_template])
def test_a_planted_word_is_found(
    blind_arena: Round, client: Client, monkeypatch: pytest.MonkeyPatch, place: Planter, channel: str
) -> None:
    monkeypatch.setattr(Plant, "place", staticmethod(place))
    monkeypatch.setattr(Plant, "word", SENTINELS[channel])
    with override_settings(MIDDLEWARE=[f"{__name__}.Plant", *settings.MIDDLEWARE]):
        pages = [everything_in(client.get("/compare"))]
    assert found_in(pages, list(SENTINELS.values())) == {SENTINELS[channel]}


def test_a_planted_id_is_found(blind_arena: Round, client: Client) -> None:
    response = client.get("/compare")
    in_page(response, str(Response.objects.order_by("id")[0].pk))
    assert len(found_in([everything_in(response)], wanted(blind_arena))) == 1


def test_both_sides_have_the_same_markup(blind_arena: Round, client: Client) -> None:
    """Once texts are taken out, A and B differ in their letter only."""
    page = client.get("/compare").content.decode()
    articles = re.findall(r"<article.*?</article>", page.split("<template")[0], re.DOTALL)
    assert len(articles) == 2
    bare = [re.sub(r">[^<]*<", "><", article) for article in articles]
    assert bare[0].replace('id="a"', "ID") == bare[1].replace('id="b"', "ID")
