"""Figures and policy: the fit is choix's on the counted votes, and nothing is claimed that few voters cannot carry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import choix
import numpy as np
import pytest
from django.utils import timezone

from ranking import folding, loop, refresh, voters
from ranking.models import Figures, Look
from ranking.queries import current_figures
from tests import factories
from voting import catalogue
from voting.models import Comparison, PairPolicy, Round, RoundCandidate, Vote

KEYS = {
    "round", "votes", "voters", "prompts", "k_eff_voters", "k_eff_prompts", "votes_ja", "votes_en", "one_voter",
    "islands", "rows", "wins", "draws", "win_rate", "p_beats", "verdict", "looks", "tie_rate", "tie_p_value",
    "tie_rules", "left_share", "both_bad_share", "skips", "cannot_judge", "reports", "settings", "fit_seconds",
}  # fmt: skip
ROW_KEYS = {
    "position", "id", "label", "group", "theta", "elo", "elo_low", "elo_high", "rank", "rank_low", "rank_high",
    "p_best", "p_top3", "p_beaten_by_leader", "votes", "wins", "draws", "losses", "both_bad", "island", "retired",
    "twins_share", "flags", "responses",
}  # fmt: skip
VERDICT_KEYS = {
    "state", "leader", "second", "p_best", "p_beats_second", "lead_elo", "limits", "votes_needed_low",
    "votes_needed_high", "few_voters", "voters_needed",
}  # fmt: skip
LEVELS = ("candidate", "checkpoint", "sampler")
SLICES = [language + out for language in ("all", "ja", "en") for out in ("", "-without_insiders")]


def mixed(seed: int) -> Callable[[Comparison], str]:
    """Outcomes in which the lower position wins more often."""
    rng = np.random.default_rng(seed)

    def outcome(shown: Comparison) -> str:
        drawn = rng.choice(["lo", "hi", "tie", "both_bad"], p=[0.45, 0.2, 0.2, 0.15])
        if drawn in ("tie", "both_bad"):
            return str(drawn)
        return "left" if (drawn == "lo") == shown.lo_is_left else "right"

    return outcome


def fill(arena: Round, n_voters: int, seed: int = 1) -> None:
    for k in range(n_voters):
        factories.cast_many(arena, factories.make_voter(), mixed(seed + k))
    bring_up_to_date(arena)


def bring_up_to_date(arena: Round) -> None:
    folding.fold(round=arena)
    refresh.refresh(round=arena)


def body(arena: Round, level: str = "candidate", slice: str = "all") -> dict[str, Any]:
    found: dict[str, Any] = Figures.objects.get(round=arena, level=level, slice=slice).body
    return found


def counted_by_hand(arena: Round, language: str | None = None) -> np.ndarray:
    """Half-wins from the votes themselves, by position."""
    n = RoundCandidate.objects.filter(round=arena).count()
    wins = np.zeros((n, n))
    votes = Vote.objects.filter(comparison__round=arena, undone_at=None, comparison__voter__excluded_at=None)
    for vote in votes.select_related("comparison__prompt"):
        shown = vote.comparison
        if language and shown.prompt.language != language:
            continue
        lo = (
            0.5
            if vote.outcome in ("tie", "both_bad")
            else float((vote.outcome == "left") == shown.lo_is_left)
        )
        wins[shown.lo, shown.hi] += lo
        wins[shown.hi, shown.lo] += 1 - lo
    return wins


def choix_fit(wins: np.ndarray) -> np.ndarray:
    theta = choix.ilsr_pairwise_dense(wins + 0.1 * (1 - np.eye(len(wins))), alpha=0, tol=1e-8, max_iter=1000)
    return theta - theta.mean()


def strengths(figures: dict[str, Any]) -> np.ndarray:
    return np.array([row["theta"] for row in sorted(figures["rows"], key=lambda row: row["position"])])


# The fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slice", "language"), [("all", None), ("ja", "ja"), ("en", "en")])
def test_strengths_are_choix_on_the_counted_votes(arena: Round, slice: str, language: str | None) -> None:
    fill(arena, 5)
    theta = strengths(body(arena, slice=slice))
    assert theta == pytest.approx(choix_fit(counted_by_hand(arena, language)), abs=1e-6)


def test_the_second_refresh_agrees_too_after_an_exclusion(arena: Round) -> None:
    fill(arena, 4)
    voters.exclude(voter=Vote.objects.order_by("id")[0].comparison.voter)
    bring_up_to_date(arena)
    assert body(arena)["votes"] == 72
    assert strengths(body(arena)) == pytest.approx(choix_fit(counted_by_hand(arena)), abs=1e-6)


def test_wins_draws_and_losses_are_those_of_the_votes(arena: Round) -> None:
    fill(arena, 3)
    figures = body(arena)
    assert figures["votes"] == Vote.objects.count() == figures["votes_ja"] + figures["votes_en"]
    half = counted_by_hand(arena)
    for i, row in enumerate(figures["rows"]):
        assert row["votes"] == row["wins"] + row["draws"] + row["losses"]
        assert row["wins"] == sum(figures["wins"][i]) and row["draws"] == sum(figures["draws"][i])
        assert row["wins"] + row["draws"] / 2 == half[row["position"]].sum()
    both_bad = Vote.objects.filter(outcome="both_bad").count()
    assert sum(row["both_bad"] for row in figures["rows"]) == 2 * both_bad
    assert figures["both_bad_share"] == pytest.approx(both_bad / Vote.objects.count())


def test_a_level_is_the_mean_of_its_candidates(db: None) -> None:
    checkpoint = factories.make_checkpoint()
    made = [
        factories.make_candidate(checkpoint=checkpoint, sampler={"temperature": 0.1}),
        factories.make_candidate(checkpoint=checkpoint, sampler={"temperature": 0.9}),
        factories.make_candidate(sampler={"temperature": 0.1}),
    ]
    prompt_set = factories.make_prompt_set()
    for _ in range(6):
        prompt = factories.make_prompt(prompt_set)
        for candidate in made:
            factories.make_response(candidate, prompt)
    arena = factories.make_round(made, [prompt_set])
    fill(arena, 4)
    theta = strengths(body(arena))
    by_checkpoint = {row["id"]: row["theta"] for row in body(arena, "checkpoint")["rows"]}
    assert by_checkpoint[checkpoint.pk] == pytest.approx((theta[0] + theta[1]) / 2)
    by_sampler = {row["id"]: row["theta"] for row in body(arena, "sampler")["rows"]}
    assert by_sampler[made[0].sampler_key] == pytest.approx((theta[0] + theta[2]) / 2)


# What is claimed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("slice", SLICES)
def test_every_figure_has_every_key(arena: Round, level: str, slice: str) -> None:
    fill(arena, 2)
    figures = body(arena, level, slice)
    assert figures.keys() >= KEYS and figures["verdict"].keys() >= VERDICT_KEYS
    assert all(row.keys() >= ROW_KEYS for row in figures["rows"])


def test_probabilities_to_be_the_best_sum_to_one(arena: Round) -> None:
    fill(arena, 6)
    figures = body(arena)
    assert not figures["one_voter"] and figures["voters"] == 6 and figures["prompts"] == 8
    assert sum(row["p_best"] for row in figures["rows"]) == pytest.approx(1)
    assert [row["theta"] for row in figures["rows"]] == sorted(strengths(figures), reverse=True)
    assert figures["verdict"]["p_best"] == max(row["p_best"] for row in figures["rows"])
    assert sum(row["group"] == "leader" for row in figures["rows"]) == 1


def test_one_voter_gives_strengths_but_no_probability(arena: Round) -> None:
    fill(arena, 1)
    figures = body(arena)
    assert figures["one_voter"] and figures["verdict"]["state"] == "more_voters"
    assert figures["verdict"]["p_best"] is None
    assert all(row["p_best"] is None for row in figures["rows"])
    assert strengths(figures) == pytest.approx(choix_fit(counted_by_hand(arena)), abs=1e-6)
    assert all(row["elo_low"] < row["elo"] < row["elo_high"] for row in figures["rows"])
    assert not Look.objects.exists()


def test_two_browsers_of_one_person_are_one_voter(arena: Round) -> None:
    first = factories.make_voter()
    second = factories.make_voter(merged_into=first)
    for voter in (first, second):
        factories.cast_many(arena, voter, mixed(voter.pk))
    bring_up_to_date(arena)
    assert body(arena)["one_voter"] and body(arena)["voters"] == 1


def test_candidates_that_never_met_the_others_are_marked(db: None) -> None:
    arena = factories.make_arena(n_candidates=4, n_prompts=8)
    prompts = list(catalogue.load(arena).prompts)
    for _ in range(4):
        voter = factories.make_voter()
        for prompt in prompts:
            for pair in ((0, 1), (2, 3)):
                shown = factories.make_comparison(
                    arena, voter, factories.Prompt.objects.get(pk=int(prompt)), *pair
                )
                factories.cast_directly(shown, mixed(int(prompt))(shown))
    bring_up_to_date(arena)
    figures = body(arena)
    island = {row["position"]: row["island"] for row in figures["rows"]}
    assert figures["islands"] == 2
    assert island[0] == island[1] != island[2] == island[3]
    assert figures["verdict"]["state"] not in ("named", "leads")
    assert all(np.isfinite(row["theta"]) and row["elo_high"] > row["elo_low"] for row in figures["rows"])


def test_a_candidate_without_votes_holds_the_verdict_back(arena: Round) -> None:
    for k in range(6):
        voter = factories.make_voter()
        for prompt in factories.Prompt.objects.filter(set__roundpromptset__round=arena):
            shown = factories.make_comparison(arena, voter, prompt, 0, 1, lo_is_left=k % 2 == 0)
            factories.cast_directly(shown, "left" if shown.lo_is_left else "right")
    bring_up_to_date(arena)
    figures = body(arena)
    assert next(row for row in figures["rows"] if row["position"] == 2)["votes"] == 0
    assert figures["verdict"]["state"] not in ("named", "leads")


def test_insiders_can_be_left_out(arena: Round) -> None:
    fill(arena, 2)
    factories.cast_many(arena, factories.make_voter(group="insider"), mixed(9))
    bring_up_to_date(arena)
    assert body(arena)["votes"] == 72 and body(arena)["voters"] == 3
    assert body(arena, slice="all-without_insiders")["votes"] == 48
    assert body(arena, slice="ja-without_insiders")["votes"] == 24


def test_before_the_first_vote_every_candidate_is_there(arena: Round) -> None:
    figures = current_figures(arena, level="candidate", slice="all")
    assert figures["votes"] == 0 and figures["verdict"]["state"] == "no_votes"
    assert [row["position"] for row in figures["rows"]] == [0, 1, 2]
    assert figures.keys() >= KEYS and all(row.keys() >= ROW_KEYS for row in figures["rows"])


def test_all_votes_undone_is_no_votes_again(arena: Round) -> None:
    fill(arena, 1)
    voters.exclude(voter=Vote.objects.order_by("id")[0].comparison.voter)
    assert current_figures(arena, level="candidate", slice="all")["verdict"]["state"] == "no_votes"
    policy = PairPolicy.objects.get(round=arena)
    assert (policy.version, policy.votes) == (2, 0)
    ready = catalogue.policy(arena)
    assert ready is not None and ready.shares is not None
    assert ready.shares[np.triu_indices(3, 1)] == pytest.approx([1 / 3] * 3, abs=0.05)
    assert not Look.objects.exists()


# What is published


def test_the_policy_is_published_for_the_sampler(arena: Round) -> None:
    fill(arena, 3)
    policy = PairPolicy.objects.get(round=arena)
    assert (policy.version, policy.votes) == (1, 72)
    n = 3
    theta, cov = np.frombuffer(policy.theta, "<f8"), np.frombuffer(policy.cov, "<f8").reshape(n, n)
    shown = np.frombuffer(policy.shown, "<i4").reshape(n, n)
    assert theta == pytest.approx(strengths(body(arena)))
    assert np.allclose(cov, cov.T) and np.linalg.eigvalsh(cov).min() > -1e-9
    assert (shown == 24 * (1 - np.eye(n))).all()
    assert np.frombuffer(policy.prompt_votes, "<i4").sum() == 72
    ready = catalogue.policy(arena)
    assert ready is not None and ready.shares is not None and ready.shares.sum() == pytest.approx(1)

    factories.cast_many(arena, factories.make_voter(), mixed(7), limit=1)
    bring_up_to_date(arena)
    assert PairPolicy.objects.get(round=arena).version == 2


def test_a_look_is_kept_after_forty_more_votes(arena: Round) -> None:
    fill(arena, 2)
    assert list(Look.objects.filter(level="candidate").values_list("votes", flat=True)) == [48]
    factories.cast_many(arena, factories.make_voter(), mixed(5), limit=20)
    bring_up_to_date(arena)
    assert Look.objects.filter(level="candidate").count() == 1
    factories.cast_many(arena, factories.make_voter(), mixed(6), limit=20)
    bring_up_to_date(arena)
    looks = body(arena)["looks"]
    assert [look["votes"] for look in looks] == [48, 88]
    assert {look["leader"] for look in looks} <= {row["label"] for row in body(arena)["rows"]}


def clear_case(**options: Any) -> Round:
    """Twelve voters of one mind, refreshed six times on the way."""
    arena = factories.make_arena(n_prompts=8, **options)
    for k in range(12):
        factories.cast_many(
            arena, factories.make_voter(), lambda shown: "left" if shown.lo_is_left else "right"
        )
        if k % 2:
            bring_up_to_date(arena)
    return arena


def test_a_leader_is_named_only_when_the_looks_hold(db: None) -> None:
    arena = clear_case()
    figures = body(arena)
    assert len(figures["looks"]) == 6
    assert figures["verdict"]["state"] == "named"
    assert figures["verdict"]["leader"] == figures["rows"][0]["label"]
    arena.refresh_from_db()
    assert arena.state == Round.State.OPEN, "naming a leader closes nothing by itself"


def test_a_round_that_asks_for_it_is_closed_when_a_leader_is_named(db: None) -> None:
    arena = clear_case(close_when_named=True)
    arena.refresh_from_db()
    assert arena.state == Round.State.CLOSING


def test_a_named_leader_is_not_named_any_longer_than_it_is_likely(db: None) -> None:
    """Excluding voters takes votes away without a new look: the old looks must not speak for the new figures."""
    arena = clear_case()
    assert body(arena)["verdict"]["state"] == "named"
    for vote in Vote.objects.distinct("comparison__voter").select_related("comparison__voter")[:10]:
        voters.exclude(voter=vote.comparison.voter)
    voter = factories.make_voter()
    factories.cast_many(arena, voter, lambda shown: "right" if shown.lo_is_left else "left")
    bring_up_to_date(arena)
    figures = body(arena)
    if figures["verdict"]["p_best"] is None or figures["verdict"]["p_best"] < 0.95:
        assert figures["verdict"]["state"] not in ("named", "leads")


def test_a_retired_candidate_cannot_lead(arena: Round) -> None:
    fill(arena, 4)
    leader = body(arena)["rows"][0]
    RoundCandidate.objects.filter(round=arena, position=leader["position"]).update(retired_at=timezone.now())
    refresh.refresh(round=arena)
    figures = body(arena)
    retired = next(row for row in figures["rows"] if row["position"] == leader["position"])
    assert retired["retired"] and not retired["p_best"]
    assert figures["verdict"]["leader"] != leader["label"]


def test_a_refresh_that_fails_changes_nothing(arena: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(arena, 2)
    before = (body(arena), PairPolicy.objects.get(round=arena).version)
    factories.cast_many(arena, factories.make_voter(), mixed(3))
    folding.fold(round=arena)
    writes = Figures.objects.update_or_create
    calls = iter(range(100))

    def third_fails(**values: Any) -> Any:
        if next(calls) == 2:
            raise RuntimeError("the disk is full")
        return writes(**values)

    monkeypatch.setattr(Figures.objects, "update_or_create", third_fails)
    with pytest.raises(RuntimeError):
        refresh.refresh(round=arena)
    assert (body(arena), PairPolicy.objects.get(round=arena).version) == before


# The worker’s loop


def test_the_loop_folds_refreshes_and_then_rests(arena: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.cast_many(arena, factories.make_voter(), mixed(1), limit=10)
    assert loop.fold_open_rounds() == 1
    assert loop.fold_open_rounds() == 0, "nothing is queued"
    PairPolicy.objects.update(fit_seconds=10, fitted_at=timezone.now() - timedelta(seconds=100))
    factories.cast_many(arena, factories.make_voter(), mixed(2), limit=10)
    assert loop.fold_open_rounds() == 0, "a refresh of 10 s has 200 s of rest"
    PairPolicy.objects.update(fitted_at=timezone.now() - timedelta(seconds=201))
    assert loop.fold_open_rounds() == 1 and body(arena)["votes"] == 20


def test_a_broken_round_does_not_stop_the_others(arena: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    other = factories.make_arena()
    for one in (arena, other):
        factories.cast_many(one, factories.make_voter(), mixed(1), limit=10)
    update = loop.update

    def fails_for_one(*, round: Round) -> bool:
        if round == arena:
            raise ValueError("broken")
        return update(round=round)

    monkeypatch.setattr(loop, "update", fails_for_one)
    assert loop.fold_open_rounds() == 1
    assert body(other)["votes"] == 10


# Facts about the answers


def test_flags_and_twins_are_shares_of_a_candidates_answers(db: None) -> None:
    first, second = factories.make_candidate(), factories.make_candidate()
    prompt_set = factories.make_prompt_set()
    cut = [{"text": "It goes on and", "tokens": 4, "finish": "length"}]
    for k in range(4):
        prompt = factories.make_prompt(prompt_set)
        factories.make_response(first, prompt, "The same words." if k == 0 else "")
        factories.make_response(
            second, prompt, "The  same words!" if k == 0 else "", **({"turns": cut} if k == 1 else {})
        )
    arena = factories.make_round([first, second], [prompt_set])
    rows = {row["position"]: row for row in current_figures(arena, level="candidate", slice="all")["rows"]}
    assert [rows[k]["responses"] for k in (0, 1)] == [4, 4]
    assert [rows[k]["twins_share"] for k in (0, 1)] == [0.25, 0.25]
    assert [rows[k]["flags"]["cut_off"] for k in (0, 1)] == [0.0, 0.25]
    assert [rows[k]["flags"]["empty"] for k in (0, 1)] == [0.0, 0.0]


def test_with_few_votes_the_leader_has_a_plain_interval_around_its_estimate(db: None) -> None:
    arena = factories.make_arena(n_candidates=6, n_prompts=6)
    for voter in (factories.make_voter(), factories.make_voter()):
        factories.cast_many(arena, voter, lambda c: "left" if c.pk % 2 else "right", limit=12)
    rows = current_figures(arena)["rows"]
    leader = next(row for row in rows if row["group"] == "leader")
    assert leader["elo_low"] < leader["elo"] < leader["elo_high"]
    others = [row["elo_high"] - row["elo_low"] for row in rows if row is not leader]
    assert leader["elo_high"] - leader["elo_low"] > 0.3 * max(others)
