"""P(best), ranks and intervals; quantiles against scipy."""

import numpy as np
import pytest
from scipy import stats

from ranking.stats import posterior as post
from ranking.stats.covariance import Covariance

THETA = np.array([0.4, 0.25, 0.0, -0.2, -0.45])


def covariance(scale=0.02, *, n=5, k_eff=20.0):
    """Independent candidates, in the gauge of mean zero."""
    v = scale * (np.eye(n) - 1 / n)
    return Covariance(v / 3, v * 2 / 3, v * 2 / 3, v, v / 3, k_eff, k_eff, 40, 40, 1000.0)


def one_voter(scale=0.02):
    v = scale * (np.eye(5) - 1 / 5)
    return Covariance(v, None, None, None, v, 1.0, 20.0, 1, 40, 100.0)


def run(theta=THETA, cov=None, round_id=7, positions=range(5), active=None):
    cov = cov or covariance()
    return post.posterior(theta, cov, round_id=round_id, positions=np.array(positions), active=active)


@pytest.mark.parametrize("nu", [1, 2, 2.7, 5.5, 30, 400, 1e5, 1e7, np.inf])
def test_t_quantiles_agree_with_scipy(nu):
    for p in (0.01, 0.3, 0.6, 0.95, 0.975, 0.9995):
        assert post.t_quantile(p, nu) == pytest.approx(stats.t.ppf(p, nu), rel=1e-6)


@pytest.mark.parametrize("nu", [2, 2.3, 3, 7.7, 50, 1e3, 1e6])
def test_chi_square_quantiles_agree_with_scipy(nu):
    p = np.concatenate([np.linspace(1e-5, 1 - 1e-5, 4001), [1e-6, 1 - 1e-6]])
    assert np.allclose(post.chi_square_quantile(p, nu), stats.chi2.ppf(p, nu), rtol=1e-6)


@pytest.mark.parametrize("call", [lambda: post.t_quantile(1.0, 5), lambda: post.t_quantile(0.9, 0.5)])
def test_refuses_quantiles_that_are_not(call):
    with pytest.raises(ValueError, match="t quantile"):
        call()


def test_two_calls_give_the_same():
    first = run()
    post._normals.cache_clear()
    post._uniforms.cache_clear()
    assert (run().p_best == first.p_best).all() and (run().p_beats == first.p_beats).all()


def test_rounds_draw_differently():
    assert (run(round_id=8).p_best != run().p_best).any()


def test_the_uniforms_are_not_the_normals_of_a_position():
    # default_rng pads its seed with zeros: a stream of [round] alone would be that of position 0.
    uniforms = post._uniforms(7)
    for k in range(3):
        assert (np.random.default_rng([7, k]).random(3) != uniforms[:3]).all()


def test_probabilities_add_up():
    got = run()
    assert got.p_best.sum() == pytest.approx(1) and got.p_top3.sum() == pytest.approx(3)
    assert np.allclose(got.p_beats + got.p_beats.T + np.eye(5), 1)


def test_relabelling_with_positions_permutes():
    order = np.array([3, 0, 4, 1, 2])
    assert np.allclose(run(THETA[order], positions=order).p_best, run().p_best[order], atol=1e-12)


def test_two_candidates_agree_with_the_t_distribution():
    cov = covariance(n=2, scale=0.05)
    gap = np.array([0.2, -0.2])
    got = post.posterior(gap, cov, round_id=1, positions=np.arange(2))
    v, nu = cov.contrast(np.array([1.0, -1]))
    assert got.nu == nu and got.p_best[0] == pytest.approx(stats.t.cdf(0.4 / np.sqrt(v), nu), abs=0.01)


def test_few_effective_voters_make_it_less_sure():
    assert run(cov=covariance(k_eff=3)).p_best[0] < run(cov=covariance(k_eff=300)).p_best[0]


def test_a_clear_order_has_narrow_ranks():
    got = run(cov=covariance(scale=1e-6))
    assert got.rank_low.tolist() == got.rank_high.tolist() == [1, 2, 3, 4, 5]


def test_a_retired_candidate_is_out_of_the_race():
    got = run(active=np.array([False, True, True, True, True]))
    assert got.p_best[0] == 0 and got.leader == 1 and got.rank_low[1] == 1
    assert got.p_best.sum() == pytest.approx(1)


def test_without_two_voters_there_is_no_p_best():
    with pytest.raises(ValueError, match="1 voters"):
        run(cov=one_voter())


def test_intervals_are_t_intervals_of_the_deviation_from_the_mean():
    cov = covariance()
    got = post.intervals(THETA, cov)
    v, nu = cov.contrast(np.eye(5)[1] - 1 / 5)
    half = stats.t.ppf(0.975, nu) * np.sqrt(v)
    assert got.low[1] == pytest.approx(THETA[1] - THETA.mean() - half)
    assert got.high[1] == pytest.approx(THETA[1] - THETA.mean() + half)


def test_one_voter_gets_normal_intervals_from_single_votes():
    got = post.intervals(THETA, one_voter())
    assert (got.nu == np.inf).all() and np.allclose(got.high - got.low, 2 * 1.959964 * np.sqrt(0.02 * 4 / 5))


def test_the_leader_is_shrunk_towards_the_mean():
    got = post.leader_interval(THETA, covariance(scale=0.1), 0)
    assert 0 < got.estimate < THETA[0] - THETA.mean() and got.low < got.estimate < got.high


def test_equal_candidates_shrink_the_leader_to_almost_nothing():
    noise = np.array([0.2, 0.1, 0.0, -0.1, -0.2])
    assert post.leader_interval(noise, covariance(scale=0.5), 0).estimate < 0.01


def test_much_data_leaves_the_leader_where_it_stands():
    got = post.leader_interval(THETA, covariance(scale=1e-6), 0)
    assert got.estimate == pytest.approx(THETA[0] - THETA.mean(), abs=1e-4)


def test_the_leaders_interval_is_that_of_the_normal_model():
    # Independent candidates of variance v and prior s2: the posterior variance is s2 v / (s2 + v).
    v = 0.01 * np.eye(5)
    cov = Covariance(v / 3, v, v, v, v / 3, 20.0, 20.0, 40, 40, 1000.0)
    got = post.leader_interval(THETA, cov, 0)
    s2 = THETA.var() - 0.01
    half = stats.t.ppf(0.975, got.nu) * np.sqrt(s2 * 0.01 / (s2 + 0.01))
    assert got.estimate == pytest.approx((THETA - THETA.mean())[0] * s2 / (s2 + 0.01))
    assert got.high - got.estimate == pytest.approx(half)


def test_nu_is_the_smallest_over_the_contenders_alone():
    # Candidate 4 has the fewest degrees of freedom, but is out of reach.
    by_voter, by_prompt = np.diag([0.0, 0.05, 0.02, 0.0, 9e-5]), np.diag([0.0, 0.001, 0.02, 0.0, 0.0])
    v = by_voter + by_prompt
    cov = Covariance(v / 9, by_voter, by_prompt, v, v / 9, 4.0, 90.0, 40, 90, 1000.0)
    theta = np.array([0.1, 0.05, 0.0, -2.0, -5.0])
    nus = [cov.contrast(np.eye(5)[0] - np.eye(5)[j])[1] for j in range(1, 5)]
    got = run(theta, cov)
    assert nus[3] < nus[0] < nus[1] and (got.p_best[[1, 2]] > 0.01).all()
    assert got.nu == nus[0]
