"""Which pairs come to a voter's table."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from generation.models import Prompt, Response
from tests import factories
from tests.voting.conftest import Browse, voter_of
from voting import catalogue, pairs, rounds, twins, voters
from voting.models import BallotQueue, Comparison, PairPolicy, Round, RoundCandidate, Twin, Voter

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def skip_all(client: Client, most: int = 200) -> list[Comparison]:
    """Skip pair after pair until there are none."""
    page = client.get("/compare")
    while "pair" in (page.context or {}) and most:
        most -= 1
        client.post(f"/skip/{page.context['pair']['token']}", {"skip": "skip"})
        page = client.get("/compare")
    return list(Comparison.objects.filter(voter=voter_of(client)).order_by("id"))


def deal(voter: Voter, n: int) -> list[Comparison]:
    """`n` new pairs for this voter; none stays on the table."""
    for _ in range(0, n, 2):
        with voters.turn(voter.key_digest) as known:
            pairs.lay(voter=known)
        Comparison.objects.filter(voter=voter, state="open").update(state="skipped", ended_at=timezone.now())
    return list(Comparison.objects.filter(voter=voter))


def publish(round_: Round, theta: list[float], **fields: object) -> PairPolicy:
    n = len(theta)
    prompts = sorted(int(key) for key in round_.prompt_weights)
    fields = {
        "theta": np.array(theta, "<f8").tobytes(),
        "cov": (0.01 * np.eye(n)).astype("<f8").tobytes(),
        "shown": np.zeros((n, n), "<i4").tobytes(),
        "prompt_ids": np.array(prompts, "<i8").tobytes(),
        "prompt_votes": np.zeros(len(prompts), "<i4").tobytes(),
        "df": 20.0,
        "votes": 100,
        **fields,
    }
    catalogue.forget()
    return PairPolicy.objects.update_or_create(round=round_, defaults=fields)[0]


def leaders_share(comparisons: list[Comparison], leader: int) -> float:
    return sum(leader in (one.lo, one.hi) for one in comparisons) / len(comparisons)


def test_a_published_policy_raises_the_leaders_share_of_the_pairs() -> None:
    arena = factories.make_arena(n_candidates=6, n_prompts=10)
    before = deal(factories.make_voter(), 80)
    publish(arena, [0.0, 0.0, 0.0, 3.0, 0.0, 0.0])
    after = deal(factories.make_voter(), 80)
    assert {one.policy_version for one in before} == {None}
    assert {one.policy_version for one in after} == {1}
    # 2 of 6 when uniform; floor 0.2 · ⅓ + 0.8 · nearly 1 under the policy
    assert leaders_share(before, 3) < 0.55 < 0.65 < leaders_share(after, 3)


def test_a_stale_policy_is_not_drawn_from(arena: Round) -> None:
    publish(arena, [0.0, 0.0, 3.0], fitted_at=timezone.now() - timedelta(hours=1))
    assert {one.policy_version for one in deal(factories.make_voter(), 2)} == {1}
    BallotQueue.objects.create(round_id=arena.pk, voter_id=1, kind="cast")
    catalogue.forget()
    dealt = deal(factories.make_voter(), 2)
    assert [(one.policy_version, one.propensity) for one in dealt] == [(None, pytest.approx(1 / 3))] * 2


def test_two_pairs_are_kept_on_the_table(arena: Round, browse: Browse) -> None:
    client = browse()
    for _ in range(3):
        client.get("/compare")
    assert Comparison.objects.count() == 2
    one = Comparison.objects.all()[0]
    lifetime = (one.expires_at - one.created_at).total_seconds()
    assert lifetime == pytest.approx(30 * 60, abs=5)


def test_no_pair_comes_twice_and_then_there_are_no_more(browse: Browse) -> None:
    factories.make_arena(n_candidates=3, n_prompts=2)
    client = browse()
    had = skip_all(client)
    keys = Counter((one.prompt_id, one.lo, one.hi) for one in had)
    assert (len(had), max(keys.values())) == (12, 1)
    page = client.get("/compare")
    assert (page.context["reason"], page.status_code) == ("exhausted", 200)
    assert client.post("/undo", headers=HTMX)["HX-Redirect"] == "/compare"


def test_sides_are_those_of_the_positions(arena: Round) -> None:
    candidate_at = dict(RoundCandidate.objects.filter(round=arena).values_list("position", "candidate_id"))
    dealt = deal(factories.make_voter(), 20)
    for one in dealt:
        left, right = (one.lo, one.hi) if one.lo_is_left else (one.hi, one.lo)
        assert one.left_response.candidate_id == candidate_at[left]
        assert one.right_response.candidate_id == candidate_at[right]
        assert {one.left_response.prompt_id, one.right_response.prompt_id} == {one.prompt_id}
    assert {one.lo_is_left for one in dealt} == {True, False}


def test_a_voter_gets_no_more_than_the_round_allows(browse: Browse) -> None:
    factories.make_arena(ballots_per_voter=5)
    assert len(skip_all(browse())) == 5


@pytest.mark.parametrize(("reads", "expected"), [("ja", {"ja"}), ("en", {"en"}), ("both", {"ja", "en"})])
def test_only_prompts_in_the_voters_languages_are_shown(
    arena: Round, client: Client, reads: str, expected: set[str]
) -> None:
    client.post("/languages", {"languages": reads})
    page = client.get("/compare")
    client.voter = Voter.objects.get()  # type: ignore[attr-defined]
    assert page.context["pair"]["prompt_language"] in expected
    assert set(voter_of(client).languages) == expected
    assert {one.prompt.language for one in skip_all(client)} == expected


def test_a_translation_task_is_for_readers_of_both(browse: Browse) -> None:
    prompt_set, (a, b) = factories.make_prompt_set(), [factories.make_candidate() for _ in range(2)]
    prompt = factories.make_prompt(prompt_set, language="ja", answer_language="en")
    for candidate in (a, b):
        factories.make_response(candidate, prompt)
    factories.make_round([a, b], [prompt_set])
    assert skip_all(browse(languages={"ja": "native"})) == []
    assert len(skip_all(browse(languages={"ja": "native", "en": "fluent"}))) == 1


def test_changing_languages_takes_unreadable_pairs_off_the_table(arena: Round, browse: Browse) -> None:
    client = browse()
    client.get("/compare")
    client.post("/languages", {"languages": "en"})
    pair = client.get("/compare").context["pair"]
    assert pair["prompt_language"] == "en"
    open_ = Comparison.objects.filter(state="open")
    assert {one.prompt.language for one in open_} == {"en"}
    assert client.post("/languages", {"languages": "tlh"}).status_code == 400


def test_twins_hidden_and_empty_answers_are_never_shown(browse: Browse) -> None:
    prompt_set = factories.make_prompt_set()
    a, b, c, d = (factories.make_candidate() for _ in range(4))
    for _ in range(3):
        prompt = factories.make_prompt(prompt_set)
        same = "The same long answer of both, but for the last mark of all. " * 3
        factories.make_response(a, prompt, same + "x")
        factories.make_response(b, prompt, same + "y")
        factories.make_response(c, prompt)
        hidden = factories.make_response(d, prompt)
        Response.objects.filter(pk=hidden.pk).update(hidden_at=timezone.now())
        factories.make_response(d, prompt, " \n", sample=1)
    factories.make_round([a, b, c, d], [prompt_set])
    shown = {(one.lo, one.hi) for one in skip_all(browse())}
    assert shown == {(0, 2), (1, 2)}


def test_an_identical_answer_that_comes_later_is_a_twin_at_once(browse: Browse) -> None:
    prompt_set, (a, b) = factories.make_prompt_set(), [factories.make_candidate() for _ in range(2)]
    prompts = [factories.make_prompt(prompt_set) for _ in range(2)]
    factories.make_response(a, prompts[0]), factories.make_response(b, prompts[0])
    factories.make_response(a, prompts[1], "One and the same.")
    round_ = factories.make_round([a, b], [prompt_set])
    factories.make_response(b, prompts[1], "One  and the SAME.".replace("SAME", "same"))
    assert not Twin.objects.exists()
    assert len(catalogue.load(round_).twins) == 1
    assert [one.prompt_id for one in skip_all(browse())] == [prompts[0].pk]


def test_twins_of_one_candidate_are_none(arena: Round) -> None:
    candidate = RoundCandidate.objects.filter(round=arena)[0].candidate
    prompt = Prompt.objects.all()[0]
    for sample in (5, 6):
        factories.make_response(candidate, prompt, "Twice the same.", sample=sample)
    assert twins.write(round=arena, prompt_ids=[prompt.pk]) == 0


def test_who_has_not_been_shown_a_pair_is_no_voter(client: Client) -> None:
    assert client.get("/compare").context["reason"] == "none_open"
    assert not Voter.objects.exists()
    assert voters.COOKIE not in client.cookies
    client.get("/")
    factories.make_arena()
    catalogue.forget()
    page = client.get("/compare")
    voter = Voter.objects.get()
    cookie = page.cookies[voters.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 365 * 24 * 3600)
    assert voter.key_digest == voters.digest_of(cookie.value.split(":")[0])
    client.get("/compare")
    assert Voter.objects.count() == 1


def test_a_maintainer_votes_as_an_insider(arena: Round, browse: Browse, maintainer: object) -> None:
    client = browse()
    client.get("/compare")
    client.force_login(maintainer)  # type: ignore[arg-type]
    for _ in range(2):
        client.get("/compare")
    groups = list(Voter.objects.order_by("id").values_list("group", "user__username"))
    assert groups == [("public", None), ("insider", "maintainer")]


def test_simulated_and_private_rounds_are_not_for_everybody(browse: Browse) -> None:
    factories.make_arena(kind="simulated")
    private = factories.make_arena(invitation="s3cret")
    client = browse()
    assert client.get("/compare").context["reason"] == "none_open"
    assert client.get(f"/r/{private.slug}?k=wrong").status_code == 404
    assert client.get(f"/r/{private.slug}?k=s3cret").status_code == 302
    assert client.get("/compare").context["pair"]
    assert {one.round_id for one in Comparison.objects.all()} == {private.pk}


def test_of_several_rounds_weight_decides() -> None:
    light, heavy = (factories.make_arena(weight=weight, n_prompts=8) for weight in (1.0, 9.0))
    dealt = Counter(one.round_id for one in deal(factories.make_voter(), 40))
    assert dealt[heavy.pk] > dealt[light.pk]


def test_a_round_closed_since_the_last_poll_is_passed_by(arena: Round) -> None:
    other = factories.make_arena()
    deal(factories.make_voter(), 2)
    rounds.begin_closing(round=arena)  # this process has not heard of it
    assert catalogue.rounds()[arena.pk].open
    Comparison.objects.all().update(state="skipped", ended_at=timezone.now())
    voter = factories.make_voter()
    assert {one.round_id for one in deal(voter, 20)} == {other.pk}


def test_the_propensity_is_a_probability_and_kept(arena: Round) -> None:
    publish(arena, [0.0, 0.5, 1.0])
    for one in deal(factories.make_voter(), 20):
        assert 0.2 / 3 <= one.propensity <= 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM voting_comparison WHERE policy_version IS NULL")
        assert cursor.fetchone() == (0,)
