"""Tie rates by candidate, and the Davidson head."""

import numpy as np
import pytest
from scipy import stats

from ranking.stats import ties
from ranking.stats.btl import Tallies


def simulated(rng, tie_rates, votes=4000):
    """Votes between random pairs; a pair ties at the mean of its two candidates' rates."""
    n = len(tie_rates)
    lo, hi = np.sort(np.array([rng.choice(n, 2, replace=False) for _ in range(votes)]), axis=1).T
    tie = rng.random(votes) < (tie_rates[lo] + tie_rates[hi]) / 2
    win = ~tie & (rng.random(votes) < 0.5)
    return Tallies(
        np.zeros(votes, dtype=np.int64), lo, hi, *(k.astype(float) for k in (win, ~tie & ~win, tie))
    )


@pytest.mark.parametrize("df", [1, 2, 3, 8, 23, 130])
def test_the_tail_agrees_with_scipy(df):
    for x in (0.01, 1, df, 3 * df, 200):
        assert ties.chi_square_tail(x, df) == pytest.approx(stats.chi2.sf(x, df), rel=1e-9)


def test_equal_tie_rates_give_uniform_p_values():
    rng = np.random.default_rng(1)
    p = [ties.tie_test(simulated(rng, np.full(5, 0.3), 400), 5).p_value for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_candidate_that_ties_more_raises_the_alarm():
    got = ties.tie_test(simulated(np.random.default_rng(2), np.array([0.5, 0.2, 0.2, 0.2])), 4)
    assert got.is_alarm and got.rates.argmax() == 0 and got.df == 3


def test_no_ties_are_no_alarm():
    got = ties.tie_test(simulated(np.random.default_rng(3), np.zeros(4), 50), 4)
    assert got.p_value == 1 and not got.is_alarm


def test_no_votes_are_no_alarm():
    none = np.zeros(0)
    got = ties.tie_test(Tallies(*np.zeros((3, 0), dtype=np.int64), none, none, none), 3)
    assert got.p_value == 1 and np.isnan(got.rates).all()


def test_predicted_rates_add_up_and_mirror():
    head = ties.DavidsonHead(1.3, 0.7)
    rates = head.predict(np.array([0.4, -0.4]))
    assert np.allclose(rates.sum(axis=1), 1) and np.allclose(rates[0], rates[1][::-1])


def test_the_davidson_head_finds_its_own_parameters():
    rng, theta, true = (
        np.random.default_rng(4),
        np.array([1.0, 0.3, -0.3, -1.0]),
        ties.DavidsonHead(1.35, 0.6),
    )
    lo, hi = np.triu_indices(4, 1)
    wins, tied, losses = rng.multinomial(20_000, true.predict(theta[lo] - theta[hi])).T.astype(float)
    got = ties.davidson_head(Tallies(lo * 0, lo, hi, wins, losses, tied), theta)
    assert got.slope == pytest.approx(1.35, rel=0.03) and got.nu == pytest.approx(0.6, rel=0.03)


def test_the_davidson_head_stays_finite_on_three_votes():
    one = np.ones(1)
    got = ties.davidson_head(
        Tallies(*np.array([[0], [0], [1]]), one * 3, one * 0, one * 0), np.array([0.5, -0.5])
    )
    assert np.isfinite([got.slope, got.nu]).all() and got.nu > 0
