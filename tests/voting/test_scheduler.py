"""The scheduler: every pick is allowed, and its recorded propensity is the truth."""

import dataclasses
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from voting import scheduler
from voting.scheduler import Catalogue, Policy, Seen, Settings, make_policy, pick


def catalogue(n=5, m=1, *, samples=2, languages=("ja",), categories=("chat",), weights=None, twins=()):
    """Response ids tell prompt, candidate and sample: 1 + prompt * 1000 + candidate * 10 + sample."""
    ids = [[[1 + p * 1000 + k * 10 + s for s in range(samples)] for k in range(n)] for p in range(m)]
    return Catalogue(
        version=1,
        prompts=np.arange(m) + 100,
        languages=tuple(languages[p % len(languages)] for p in range(m)),
        categories=tuple(categories[p % len(categories)] for p in range(m)),
        answers=tuple(tuple(tuple(row) for row in rows) for rows in ids),
        weights=np.ones(m) if weights is None else np.array(weights, dtype=float),
        twins=frozenset(twins),
    )


def settings(n=5, *, goal="best", floor=0.2, languages=("ja",), **more):
    return Settings(goal, floor, 3, np.ones(n, dtype=bool), frozenset(languages), **more)


def policy(asked, m=1, *, spread=0.05, **more):
    n = len(asked.active)
    counts = {"shown": np.zeros((n, n), dtype=int), "prompt_votes": np.zeros(m, dtype=int)} | more
    theta = np.linspace(0.4, -0.4, n)
    return make_policy(
        round_id=3, version=9, theta=theta, cov=spread * np.eye(n), df=15.0, settings=asked, **counts
    )


def picks(times, cat, pol, asked, seen=None, seed=0, coin=lambda: 0.1):
    rng, seen = np.random.default_rng(seed), seen or Seen()
    return [
        pick(catalogue=cat, policy=pol, settings=asked, seen=seen, rng=rng, coin=coin) for _ in range(times)
    ]


def one_voter(cat, pol, asked, seed=0):
    """All pairs that one voter can be shown, one after the other."""
    rng, rows, found = np.random.default_rng(seed), [], []
    while got := pick(
        catalogue=cat, policy=pol, settings=asked, seen=Seen.of(rows), rng=rng, coin=lambda: 0.1
    ):
        rows.append((got.prompt_id, got.lo, got.hi))
        found.append(got)
    return found


def assert_frequencies_match(got):
    """Each pair's share of the picks is its propensity, which does not vary between picks of it."""
    counts = Counter((p.lo, p.hi) for p in got)
    propensities = {(p.lo, p.hi): p.propensity for p in got}
    assert all(p.propensity == propensities[p.lo, p.hi] for p in got)
    for pair, count in counts.items():
        q = propensities[pair]
        assert abs(count - len(got) * q) < 4.5 * np.sqrt(len(got) * q * (1 - q)) + 1e-9


@pytest.mark.parametrize("goal", ["best", "top_k", "release", "coverage"])
def test_the_recorded_propensity_is_the_frequency(goal):
    asked = settings(goal=goal)
    shown = np.triu(np.arange(25).reshape(5, 5) % 3, 1)
    got = picks(6000, catalogue(), policy(asked, shown=shown), asked)
    assert_frequencies_match(got)
    assert sum({(p.lo, p.hi): p.propensity for p in got}.values()) == pytest.approx(1, abs=0.02)


def test_the_propensity_holds_among_what_this_voter_has_left():
    asked = settings()
    seen = Seen.of([(100, 0, 1), (100, 1, 2), (100, 0, 4), (555, 0, 2)])
    got = picks(6000, catalogue(), policy(asked), asked, seen)
    assert_frequencies_match(got)
    assert not {(0, 1), (1, 2), (0, 4)} & {(p.lo, p.hi) for p in got}


def test_without_a_policy_pairs_are_uniform():
    got = picks(3000, catalogue(), None, settings())
    assert_frequencies_match(got)
    assert {(p.propensity, p.policy_version) for p in got} == {(1 / 10, None)}


def test_pairs_without_a_draw_are_uniform_when_no_other_is_left():
    nothing = Policy(4, np.zeros((5, 5)), np.zeros((5, 5), dtype=int), np.zeros(1, dtype=int))
    assert {p.propensity for p in picks(200, catalogue(), nothing, settings())} == {1 / 10}


def test_the_floor_reaches_every_pair():
    asked = settings(floor=0.3)
    got = picks(4000, catalogue(), policy(asked, spread=1e-6), asked)
    assert len({(p.lo, p.hi) for p in got}) == 10
    assert min(p.propensity for p in got) == pytest.approx(0.3 / 10)


def test_no_floor_shows_only_what_the_draws_say():
    asked = settings(floor=0.0)
    assert {(p.lo, p.hi) for p in picks(300, catalogue(), policy(asked, spread=1e-9), asked)} == {(0, 1)}


def test_a_policy_gives_the_leader_more_pairs():
    asked = settings()

    def share(pol):
        return np.mean([0 in (p.lo, p.hi) for p in picks(2000, catalogue(), pol, asked)])

    assert share(policy(asked)) > share(None) + 0.2


def test_top_k_compares_at_the_boundary():
    asked = settings(goal="top_k", floor=0.0)
    assert {(p.lo, p.hi) for p in picks(100, catalogue(), policy(asked, spread=1e-9), asked)} == {(2, 3)}


def test_release_does_half_of_each():
    asked = settings(goal="release", floor=0.0)
    assert np.argwhere(policy(asked, spread=1e-9).shares == 0.5).tolist() == [[0, 1], [2, 3]]


def test_coverage_takes_the_pairs_shown_least():
    asked = settings(goal="coverage", floor=0.0)
    shown = np.ones((5, 5), dtype=int)
    shown[1, 3] = shown[0, 2] = 0
    got = picks(200, catalogue(), policy(asked, shown=shown), asked)
    assert {(p.lo, p.hi) for p in got} == {(1, 3), (0, 2)} and got[0].propensity == 0.5


def test_the_same_policy_comes_out_in_every_process():
    asked = settings()
    assert (policy(asked).shares == policy(asked).shares).all()


def test_twins_are_never_paired():
    # Both samples of candidate 0 equal the first of 1; candidates 2 and 3 have one text between them.
    twins = [(0, 1, 11), (0, 2, 11), *((0, a, b) for a in (21, 22) for b in (31, 32))]
    got = picks(3000, catalogue(twins=twins), policy(settings()), settings())
    shown = {tuple(sorted((p.left_response, p.right_response))) for p in got}
    assert not shown & {(low, high) for _, low, high in twins}
    assert {(p.lo, p.hi) for p in got} >= {(0, 1)} and (2, 3) not in {(p.lo, p.hi) for p in got}


def test_the_propensity_counts_out_the_twins_drawn():
    got = picks(500, catalogue(n=3, samples=1, twins=[(0, 1, 11)]), None, settings(n=3))
    assert {p.propensity for p in got} == {1 / 2}


def test_only_twins_are_nothing_to_show():
    assert picks(1, catalogue(n=2, samples=1, twins=[(0, 1, 11)]), None, settings(n=2)) == [None]


def test_a_voter_never_meets_a_pair_twice_on_a_prompt_and_meets_all():
    asked = settings(n=4)
    got = one_voter(catalogue(n=4, m=3), policy(asked, m=3), asked)
    keys = {(p.prompt_id, p.lo, p.hi) for p in got}
    assert len(got) == len(keys) == 3 * 6


def test_prompts_take_turns_for_a_voter():
    got = one_voter(catalogue(n=4, m=5), None, settings(n=4))
    assert Counter(p.prompt_id for p in got[:10]) == dict.fromkeys(range(100, 105), 2)


def test_the_prompt_with_fewest_votes_comes_first():
    asked = settings()
    pol = policy(asked, m=4, prompt_votes=np.array([5, 2, 7, 2]))
    assert {p.prompt_id for p in picks(60, catalogue(m=4), pol, asked)} == {101, 103}


def test_categories_come_by_weight_whatever_the_number_of_prompts():
    cat = catalogue(m=4, categories=("chat", "code"), weights=[3, 0.5, 3, 1.5])
    share = np.mean([p.prompt_id in (100, 102) for p in picks(3000, cat, None, settings())])
    assert abs(share - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / 3000)


def test_an_exhausted_category_gives_way_to_another():
    cat = catalogue(n=2, m=2, categories=("chat", "code"), weights=[9, 1])
    assert [p.prompt_id for p in picks(20, cat, None, settings(n=2), Seen.of([(100, 0, 1)]))] == [101] * 20


def test_only_prompts_that_the_voter_reads():
    cat = catalogue(m=4, languages=("ja", "en"))
    assert {p.prompt_id for p in picks(60, cat, None, settings(languages=["en"]))} == {101, 103}
    assert picks(1, cat, None, settings(languages=["fr"])) == [None]


def test_candidates_without_an_answer_or_retired_are_left_out():
    cat = catalogue(n=4)
    cat = dataclasses.replace(cat, answers=((cat.answers[0][0], (), *cat.answers[0][2:]),))
    asked = dataclasses.replace(settings(n=4), active=np.array([True, True, False, True]))
    assert {(p.lo, p.hi) for p in picks(50, cat, policy(asked), asked)} == {(0, 3)}


def test_only_allowed_pairs():
    allowed = np.zeros((5, 5), dtype=bool)
    allowed[1, 4] = allowed[0, 3] = True
    asked = settings(goal="confirm", allowed=allowed)
    assert {(p.lo, p.hi) for p in picks(80, catalogue(), policy(asked), asked)} == {(1, 4), (0, 3)}


def test_a_candidate_newer_than_the_policy_is_reached_by_the_floor():
    counts = {"shown": np.zeros((5, 5), dtype=int), "prompt_votes": np.zeros(1, dtype=int)}
    theta, cov, asked = np.linspace(0.4, -0.4, 5), 0.05 * np.eye(5), settings(n=6)
    known = make_policy(round_id=3, version=9, theta=theta, cov=cov, df=15.0, settings=asked, **counts)
    got = picks(3000, catalogue(n=6), known, asked)
    assert_frequencies_match(got)
    assert next(p for p in got if p.hi == 5).propensity == pytest.approx(0.2 / 15)


def test_the_coin_decides_the_sides():
    for side, lo_is_left in ((0.49, True), (0.5, False)):
        got = picks(1, catalogue(), None, settings(), coin=lambda side=side: side)[0]
        low = got.left_response if lo_is_left else got.right_response
        assert got.lo_is_left is lo_is_left and (low - 1) // 10 == got.lo


@pytest.mark.parametrize(("lo_left", "heads"), [(2, 2 / 3), (5, 1 / 2), (9, 1 / 3)])
def test_the_coin_is_nudged_to_the_order_had_less(lo_left, heads):
    asked = settings(n=2)
    counts = {"shown": np.full((2, 2), 10), "lo_left": np.full((2, 2), lo_left)}
    pol = policy(asked, **counts)
    for side, expected in ((heads - 0.01, True), (heads + 0.01, False)):
        got = picks(1, catalogue(n=2), pol, asked, coin=lambda side=side: side)[0]
        assert got.lo_is_left is expected


def test_samples_of_a_candidate_are_all_shown():
    got = picks(2000, catalogue(n=2, samples=4), None, settings(n=2))
    counts = Counter(p.left_response for p in got)
    assert len(counts) == 4 and min(counts.values()) > 500 - 4.5 * np.sqrt(375)


def test_fewer_degrees_of_freedom_spread_the_draws():
    asked, counts = settings(), {"shown": np.zeros((5, 5), dtype=int), "prompt_votes": np.zeros(1, dtype=int)}
    theta, cov = np.array([1.0, 0, 0, 0, -4.0]), 0.1 * np.eye(5)
    few, many = (
        make_policy(round_id=3, version=9, theta=theta, cov=cov, df=df, settings=asked, **counts).shares
        for df in (2.0, np.inf)
    )
    assert few[:, 4].sum() > 2 * many[:, 4].sum() and few[:, 4].sum() > 0


def test_a_lone_pair_never_has_a_probability_above_one() -> None:
    settings = scheduler.Settings("best", 0.2, 3, np.array([True, True]), frozenset({"en"}))
    shares = np.array([[0.0, 0.123456789], [0.0, 0.0]])
    policy = scheduler.Policy(1, shares, np.zeros((2, 2), dtype=np.int64), np.zeros(1, dtype=np.int64))
    for floor in np.linspace(0, 1, 101):
        chosen = scheduler._choose(
            np.array([1]), policy, replace(settings, floor=float(floor)), np.random.default_rng(1)
        )
        assert chosen[1] <= 1.0
