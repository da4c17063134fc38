"""The two-way covariance: against one vote at a time, and against the bootstrap."""

import dataclasses

import numpy as np
import pytest

from ranking.stats import btl
from ranking.stats import covariance as cov
from ranking.stats.bootstrap import Votes, two_way


def world(seed, *, n=4, n_voters=40, n_prompts=30, n_votes=2000, taste=0.8, tie=0.2):
    """Votes by voters and on prompts with tastes of their own."""
    rng = np.random.default_rng(seed)
    voter, prompt = rng.integers(0, n_voters, n_votes), rng.integers(0, n_prompts, n_votes)
    lo, hi = np.sort(np.array([rng.choice(n, 2, replace=False) for _ in range(n_votes)]), axis=1).T
    utility = np.linspace(0.5, -0.5, n) + taste * rng.normal(size=(n_voters, 1, n))
    utility = utility + taste * rng.normal(size=(1, n_prompts, n))
    gap = utility[voter, prompt, lo] - utility[voter, prompt, hi]
    y = (rng.random(n_votes) < 1 / (1 + np.exp(-gap))).astype(float)
    return Votes(voter, prompt, lo, hi, np.where(rng.random(n_votes) < tie, 0.5, y))


def tally(votes, cluster):
    """One row a vote: a tally that sums less than it might is as right as any."""
    win, loss, tie = (votes.y == outcome for outcome in (1, 0, 0.5))
    return btl.Tallies(cluster, votes.lo, votes.hi, win.astype(float), loss.astype(float), tie.astype(float))


def summed(tallies):
    keys, index = np.unique(np.stack([tallies.cluster, tallies.lo, tallies.hi]), axis=1, return_inverse=True)
    counts = (np.bincount(index, c) for c in (tallies.lo_wins, tallies.hi_wins, tallies.ties))
    return btl.Tallies(*keys, *counts)


def estimated(votes, n=4):
    voters, prompts = tally(votes, votes.voter), tally(votes, votes.prompt)
    theta = btl.fit(btl.half_wins(voters, n)).theta
    return theta, cov.estimate(summed(voters), summed(prompts), theta)


def brute_force(votes, theta):
    """The formulas of the module, one vote after the other."""
    n = len(theta)
    information, single = np.zeros((n, n)), np.zeros((n, n))
    by = {"voter": {}, "prompt": {}}
    for voter, prompt, i, j, y in zip(votes.voter, votes.prompt, votes.lo, votes.hi, votes.y, strict=True):
        p, d = 1 / (1 + np.exp(theta[j] - theta[i])), np.eye(n)[i] - np.eye(n)[j]
        information += p * (1 - p) * np.outer(d, d)
        single += (y - p) ** 2 * np.outer(d, d)
        by["voter"][voter] = by["voter"].get(voter, 0) + (y - p) * d
        by["prompt"][prompt] = by["prompt"].get(prompt, 0) + (y - p) * d
    h = np.linalg.pinv(information, rcond=1e-10)
    two = [
        len(sums) / (len(sums) - 1) * h @ sum(np.outer(g, g) for g in sums.values()) @ h
        for sums in by.values()
    ]
    return h @ single @ h, *two


def test_agrees_with_a_sum_over_single_votes():
    votes = world(1, n_votes=600)
    theta, got = estimated(votes)
    v0, vv, vp = brute_force(votes, theta)
    for mine, theirs in ((got.V0, v0), (got.Vv, vv), (got.Vp, vp), (got.V, vv + vp - v0)):
        assert np.allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_many_clusters_sum_in_chunks_to_the_same(monkeypatch):
    votes = world(2, n_votes=500)
    _, whole = estimated(votes)
    monkeypatch.setattr(cov, "CHUNK", 7)
    assert np.allclose(estimated(votes)[1].V, whole.V)


def test_the_information_is_the_second_derivative():
    votes = world(3, n_votes=300)
    wins, theta = btl.half_wins(tally(votes, votes.voter), 4), np.array([0.3, 0.1, -0.1, -0.3])

    def score(t):
        return (wins - (wins + wins.T) * btl.probabilities(t)).sum(axis=1)

    slopes = np.array([(score(theta + h) - score(theta - h)) / 2e-5 for h in 1e-5 * np.eye(4)])
    assert np.allclose(np.linalg.pinv(cov.information_pinv(wins, theta, prior=0)), -slopes, atol=1e-5)


def test_in_ratio_to_the_bootstrap_over_voters_and_prompts():
    # The product weights count independent noise three times: see bootstrap.two_way.
    ratios = []
    for seed in range(3):
        votes = world(seed, n_voters=60, n_prompts=60, n_votes=3000)
        _, got = estimated(votes)
        draws = two_way(votes, 4, rounds=300, rng=np.random.default_rng(seed))
        contrasts = np.eye(4) - 1 / 4
        formula = ((contrasts @ (got.V + 2 * got.V0)) * contrasts).sum(axis=1)
        ratios.extend((draws @ contrasts).var(axis=0) / formula)
    assert 0.85 < np.mean(ratios) < 1.15


def test_voters_with_tastes_make_it_wider_than_single_votes_say():
    _, got = estimated(world(4))
    contrast = np.array([1.0, -1, 0, 0])
    assert got.contrast(contrast)[0] > 2 * contrast @ got.V0 @ contrast


def test_the_variance_of_a_contrast_is_never_below_either_way_of_clustering():
    _, got = estimated(world(5, taste=0, n_votes=300))
    contrasts = np.eye(4) - 1 / 4
    variance, nu = got.contrasts(contrasts)
    for part in (got.V, got.Vv, got.Vp):
        assert (variance >= ((contrasts @ part) * contrasts).sum(axis=1) - 1e-12).all()
    assert (nu >= 2).all()


def test_satterthwaite_of_a_single_contrast():
    _, got = estimated(world(6))
    c = np.array([1.0, 0, -1, 0])
    v, nu = got.contrast(c)
    spread = (c @ got.Vv @ c) ** 2 / (got.k_eff_voters - 1) + (c @ got.Vp @ c) ** 2 / (got.k_eff_prompts - 1)
    assert nu == pytest.approx(v**2 / spread)


def test_effective_voters_count_by_their_votes():
    rows = btl.Tallies(*np.array([[7, 8], [0, 0], [1, 1]]), np.array([9.0, 1]), np.zeros(2), np.zeros(2))
    got = cov.estimate(rows, dataclasses.replace(rows, cluster=np.array([1, 1])), np.zeros(2))
    assert (got.n_voters, got.k_eff_voters) == (2, pytest.approx(100 / 82))


def test_one_voter_has_no_covariance_but_single_votes():
    votes = dataclasses.replace(world(7), voter=np.zeros(2000, dtype=np.int64))
    _, got = estimated(votes)
    assert got.V is None and np.isfinite(got.V0).all()
    assert got.contrast(np.array([1.0, -1, 0, 0]))[1] == np.inf


def test_refuses_tallies_of_different_votes():
    votes = world(8, n_votes=100)
    fewer = Votes(*(getattr(votes, f.name)[1:] for f in dataclasses.fields(votes)))
    with pytest.raises(ValueError, match="by prompt 99"):
        cov.estimate(tally(votes, votes.voter), tally(fewer, fewer.prompt), np.zeros(4))


def test_relabelling_permutes():
    votes, order = world(9, n_votes=400), np.array([2, 0, 3, 1])
    _, got = estimated(votes)
    new = np.argsort(order)
    lo, hi = new[votes.lo], new[votes.hi]
    turned = Votes(
        votes.voter,
        votes.prompt,
        np.minimum(lo, hi),
        np.maximum(lo, hi),
        np.where(lo < hi, votes.y, 1 - votes.y),
    )
    assert np.allclose(estimated(turned)[1].V, got.V[np.ix_(order, order)], atol=1e-6)


def test_the_root_squares_to_what_is_drawn_from():
    _, got = estimated(world(10, n_voters=3, n_prompts=3, n_votes=60))
    half = cov.root(got)
    assert np.allclose(half, half.T) and np.allclose(half @ half, cov.for_draws(got))


def test_no_variance_to_draw_from_is_below_either_way_of_clustering():
    _, got = estimated(world(11, taste=0, n_voters=5, n_prompts=4, n_votes=60))
    floor = np.maximum(np.diag(got.Vv), np.diag(got.Vp))
    assert (np.diag(cov.for_draws(got)) >= floor * (1 - 1e-9)).all()


def test_an_unseen_candidate_is_uncertain_and_not_certain():
    votes = world(12)
    theta, _ = estimated(votes, 5)
    wins = btl.half_wins(tally(votes, votes.voter), 5)
    weak = cov.weak_candidates(wins)
    assert weak.tolist() == [False] * 4 + [True]
    bare = cov.estimate(tally(votes, votes.voter), tally(votes, votes.prompt), theta)
    got = cov.with_pseudo_rows(bare, cov.information_pinv(wins, theta), weak)
    assert bare.V[4, 4] < 1e-9 < 1 < cov.for_draws(got)[4, 4]


def test_fewer_than_30_votes_and_islands_are_weak():
    wins = np.zeros((5, 5))
    wins[0, 1], wins[1, 2], wins[3, 4] = 50, 29, 40
    assert cov.weak_candidates(wins).tolist() == [False, False, True, True, True]


def test_levels_are_means_of_candidates():
    _, got = estimated(world(13))
    means = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    assert got.mapped(means).contrast(np.array([1.0, -1])) == pytest.approx(got.contrast(means[0] - means[1]))
