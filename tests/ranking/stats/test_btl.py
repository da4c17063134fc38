"""Strengths: choix against an independent Newton solver, and what must not change them."""

import numpy as np
import pytest

from ranking.stats import btl


def random_wins(rng, n=None):
    n = n or int(rng.integers(2, 13))
    theta = rng.normal(0, 0.7, n)
    votes = rng.poisson(rng.choice([2, 20, 200]), (n, n))
    wins = np.where(np.eye(n, dtype=bool), 0.0, rng.binomial(votes, btl.probabilities(theta)))
    return wins + 0.5 * rng.integers(0, 3, (n, n)) * (1 - np.eye(n))


def log_likelihood(theta, counts):
    return float((counts * np.log(btl.probabilities(theta))).sum())


def score(theta, counts):
    return (counts - (counts + counts.T) * btl.probabilities(theta)).sum(axis=1)


def newton(counts):
    """Solve the penalised likelihood without choix; the added 11'/n fixes the mean at zero."""
    n = len(counts)
    theta = np.zeros(n)
    for _ in range(100):
        p = btl.probabilities(theta)
        weights = (counts + counts.T) * p * (1 - p) * (1 - np.eye(n))
        step = np.linalg.solve(np.diag(weights.sum(axis=1)) - weights + 1 / n, score(theta, counts))
        theta = theta + step / max(1, np.abs(step).max())
        if np.abs(step).max() < 1e-12:
            break
    return theta - theta.mean()


def test_agrees_with_newton_on_200_random_problems():
    rng = np.random.default_rng(1)
    for _ in range(200):
        wins = random_wins(rng)
        counts = (wins + 0.1) * (1 - np.eye(len(wins)))
        assert np.abs(btl.fit(wins).theta - newton(counts)).max() < 1e-6


def test_the_score_is_the_derivative_of_the_likelihood():
    rng = np.random.default_rng(2)
    counts, theta = random_wins(rng, 5), rng.normal(size=5)
    moved = [
        (log_likelihood(theta + h, counts) - log_likelihood(theta - h, counts)) / 2e-5
        for h in 1e-5 * np.eye(5)
    ]
    assert np.allclose(moved, score(theta, counts), atol=1e-5)


def test_the_fit_stands_where_the_score_is_zero():
    wins = random_wins(np.random.default_rng(3), 8)
    fit = btl.fit(wins)
    assert fit.residual < 1e-4 and abs(fit.theta.mean()) < 1e-12


def test_relabelling_permutes():
    rng = np.random.default_rng(4)
    wins, order = random_wins(rng, 7), rng.permutation(7)
    assert np.allclose(btl.fit(wins[np.ix_(order, order)]).theta, btl.fit(wins).theta[order], atol=1e-6)


def test_turning_all_outcomes_turns_the_strengths():
    wins = random_wins(np.random.default_rng(5), 6)
    assert np.allclose(btl.fit(wins.T).theta, -btl.fit(wins).theta, atol=1e-6)


def test_a_warm_start_ends_at_the_same_place():
    rng = np.random.default_rng(6)
    wins = random_wins(rng, 6)
    assert np.allclose(btl.fit(wins, initial=rng.normal(size=6)).theta, btl.fit(wins).theta, atol=1e-6)


def test_an_undefeated_candidate_stays_finite_and_on_top():
    wins = random_wins(np.random.default_rng(7), 5)
    wins[:, 2] = 0
    theta = btl.fit(wins).theta
    assert np.isfinite(theta).all() and theta.argmax() == 2


def test_no_votes_give_equal_strengths():
    assert np.allclose(btl.fit(np.zeros((4, 4))).theta, 0)


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
def test_refuses_impossible_counts_and_names_the_cell(bad):
    wins = np.ones((3, 3))
    wins[2, 1] = bad
    with pytest.raises(ValueError, match=r"wins\[2, 1\]"):
        btl.fit(wins)


def test_refuses_a_fit_without_prior():
    with pytest.raises(ValueError, match="prior"):
        btl.fit(np.ones((3, 3)), prior=0)


def test_says_so_when_it_does_not_converge():
    with pytest.raises(btl.DidNotConverge) as caught:
        btl.fit(random_wins(np.random.default_rng(8), 6), max_iter=2)
    assert caught.value.iterations == 2


def test_inputs_stay_as_they_were():
    wins = random_wins(np.random.default_rng(9), 4)
    before = wins.copy()
    btl.fit(wins)
    assert (wins == before).all()


def tallies(rows):
    cluster, lo, hi, *counts = np.array(rows).T
    return btl.Tallies(cluster, lo, hi, *(column.astype(float) for column in counts))


def test_a_tie_is_half_a_win_for_each():
    wins = btl.half_wins(tallies([(1, 0, 1, 2, 1, 3), (2, 0, 1, 1, 0, 0)]), 2)
    assert wins.tolist() == [[0, 4.5], [2.5, 0]]


def test_dropped_ties_leave_wins_alone():
    wins = btl.decisive_wins(tallies([(1, 0, 1, 2, 1, 3), (2, 0, 1, 1, 0, 0)]), 2)
    assert wins.tolist() == [[0, 3], [1, 0]]


def test_swapping_sides_changes_nothing():
    # Lower and higher positions trade names: the same votes seen from the other side.
    forward = btl.half_wins(tallies([(1, 0, 1, 5, 2, 1), (1, 0, 2, 3, 3, 0), (2, 1, 2, 1, 4, 2)]), 3)
    backward = btl.half_wins(tallies([(1, 1, 2, 2, 5, 1), (1, 0, 2, 3, 3, 0), (2, 0, 1, 4, 1, 2)]), 3)
    assert np.allclose(btl.fit(forward).theta, btl.fit(backward).theta[::-1], atol=1e-6)


def test_islands_come_with_most_votes_first():
    wins = np.zeros((5, 5))
    wins[0, 3], wins[1, 4] = 2, 9
    assert btl.islands(wins) == [[1, 4], [0, 3], [2]]
    assert btl.island_labels(wins).tolist() == [1, 0, 2, 1, 0]


def test_a_tenfold_chance_is_400_elo():
    assert np.allclose(btl.to_elo([0, np.log(10)]), [1000, 1400])
