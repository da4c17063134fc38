"""P(best), ranks and intervals from theta and its two-way covariance, by draws that are the same at every
refresh.

Draw s is theta + V^(1/2) z_s sqrt(nu / chi2_s), V^(1/2) the symmetric root. Column k of z comes from the
round and the position of candidate k alone, chi2_s from its quantile at uniforms of the round: P(best) moves
between refreshes only as far as the votes move it, and adding a candidate leaves the others' draws alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, pi, sqrt
from statistics import NormalDist

import numpy as np

from ranking.stats.btl import ELO, Bools, Floats, Ints
from ranking.stats.covariance import Covariance, for_draws, root

DRAWS = 20_000
CONTENDER = 0.01  # P(best) from which a candidate counts for the degrees of freedom
LEAST_SPREAD = 5 / ELO  # logits: prior scale of strengths below which the leader is not shrunk further
ALMOST_NORMAL = 1e8  # degrees of freedom from which t is the normal to eight digits
LEGENDRE = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Posterior:
    """What the draws say of each candidate; ranks count from 1, among active candidates.

    p_best, p_top3 : f8[n], 0 for a candidate that is not active.
    rank_low, rank_high : i8[n], the 2.5% and 97.5% quantiles of the rank.
    p_beats : f8[n, n], share of draws in which row stands above column.
    leader : the candidate with the largest p_best.   nu : degrees of freedom of the draws.
    """

    p_best: Floats
    p_top3: Floats
    rank_low: Ints
    rank_high: Ints
    p_beats: Floats
    leader: int
    nu: float


@dataclass(frozen=True)
class Intervals:
    """Two-sided t intervals of theta_k - mean(theta), logits, "valid at one look"; all f8[n]."""

    low: Floats
    high: Floats
    standard_error: Floats
    nu: Floats


@dataclass(frozen=True)
class LeaderInterval:
    """The leader's strength shrunk by empirical Bayes, logits, "valid at one look"."""

    estimate: float
    low: float
    high: float
    nu: float


def posterior(
    theta: Floats, covariance: Covariance, *, round_id: int, positions: Ints, active: Bools | None = None
) -> Posterior:
    """Compute P(best), P(top 3), rank ranges and P(i beats j) from 20,000 draws.

    Parameters
    ----------
    theta : f8[n], logits.
    covariance : with the rows of weak candidates already replaced (`covariance.with_pseudo_rows`).
    positions : i8[n], the round position (or other lasting number, at least 0) of each candidate.
    active : bool[n], candidates still in the running; all if None.

    Raises
    ------
    ValueError
        The covariance has no V (fewer than two voters or prompts), or no candidate is active.
    """
    if covariance.V is None:
        raise ValueError(
            f"no P(best) from {covariance.n_voters} voters and {covariance.n_prompts} prompts: two of each"
        )
    active = np.ones(len(theta), dtype=bool) if active is None else active
    if not active.any():
        raise ValueError("no P(best): no candidate is active")
    noise = root(covariance) @ _normals(round_id, tuple(int(k) for k in positions))
    leader = int(np.argmax(np.where(active, theta, -inf)))
    rivals = np.flatnonzero(active & (np.arange(len(theta)) != leader))
    nus = _nus(covariance, leader, rivals)
    # The heaviest tails first, so that no rival is dropped from the choice of nu by tails that were too
    # light.
    nu = float(nus.min(initial=inf))
    share = _p_best(_draws(theta, noise, nu, round_id, active))
    near = share[rivals] >= CONTENDER
    if near.any():
        nu = float(nus[near].min())
    return _summary(_draws(theta, noise, nu, round_id, active), active, nu)


def intervals(theta: Floats, covariance: Covariance, *, level: float = 0.95) -> Intervals:
    """Compute t intervals, contrast c = e_k - 1/n for every k; from V0 and the normal where V is None."""
    n = len(theta)
    variance, nu = covariance.contrasts(np.eye(n) - 1 / n)
    error = np.sqrt(variance)
    half = error * np.array([t_quantile((1 + level) / 2, float(k)) for k in nu])
    centred = theta - theta.mean()
    return Intervals(centred - half, centred + half, error, nu)


def leader_interval(
    theta: Floats, covariance: Covariance, leader: int, *, level: float = 0.95
) -> LeaderInterval:
    """Compute the interval of one candidate chosen for being on top, so that the choice does not flatter it.

    With s^2 = max(var(theta) - mean diag V, (5 Elo)^2): mean s^2 (s^2 I + V)^-1 theta, covariance
    s^2 I - s^4 (s^2 I + V)^-1, and t at the degrees of freedom of e_k - 1/n.
    Source: Efron, "Tweedie's Formula and Selection Bias", JASA 106(496), 2011, in its normal case.
    """
    n = len(theta)
    v = for_draws(covariance)
    centred = theta - theta.mean()
    s2 = max(float(centred.var() - np.diag(v).mean()), LEAST_SPREAD**2)
    shrink = s2 * np.linalg.inv(s2 * np.eye(n) + v)
    estimate = float(shrink[leader] @ centred)
    variance = s2 - s2 * float(shrink[leader, leader])
    _, nu = covariance.contrast(np.eye(n)[leader] - 1 / n)
    half = t_quantile((1 + level) / 2, nu) * sqrt(max(variance, 0.0))
    return LeaderInterval(estimate, estimate - half, estimate + half, nu)


def _nus(covariance: Covariance, leader: int, rivals: Ints) -> Floats:
    contrasts = np.zeros((len(rivals), len(covariance.V0)))
    contrasts[:, leader] = 1.0
    contrasts[np.arange(len(rivals)), rivals] = -1.0
    return covariance.contrasts(contrasts)[1]


@lru_cache(maxsize=4)
def _normals(round_id: int, positions: tuple[int, ...]) -> Floats:
    """Return z, f8[n, DRAWS]. Cached only to save the time: the same seeds give it again."""
    z = np.array([np.random.default_rng([round_id, k]).standard_normal(DRAWS) for k in positions])
    z.flags.writeable = False
    return z


@lru_cache(maxsize=4)
def _uniforms(round_id: int) -> Floats:
    # Not default_rng([round_id]): numpy pads a seed with zeros, so that would be the stream of position 0.
    u = np.random.default_rng([round_id, 0, 1]).random(DRAWS)
    u.flags.writeable = False
    return u


def _draws(theta: Floats, noise: Floats, nu: float, round_id: int, active: Bools) -> Floats:
    """Return draws of the active candidates' strengths, f8[n, DRAWS]; the others lie at -inf."""
    scale: Floats | float = 1.0
    if nu < ALMOST_NORMAL:
        scale = np.sqrt(nu / chi_square_quantile(_uniforms(round_id), nu))
    draws = theta[:, None] + noise * scale
    draws[~active] = -inf
    return draws


def _p_best(draws: Floats) -> Floats:
    return np.bincount(draws.argmax(axis=0), minlength=len(draws)) / DRAWS


def _summary(draws: Floats, active: Bools, nu: float) -> Posterior:
    n = len(draws)
    order = np.argsort(-draws, axis=0, kind="stable")
    # counts[k, r]: in how many draws candidate k has rank r + 1
    counts = np.array([np.bincount(row, minlength=n) for row in order]).T
    cumulated = counts.cumsum(axis=1) / DRAWS
    p_best = np.where(active, cumulated[:, 0], 0.0)
    return Posterior(
        p_best=p_best,
        p_top3=np.where(active, cumulated[:, min(2, n - 1)], 0.0),
        rank_low=1 + (cumulated < 0.025).sum(axis=1),
        rank_high=1 + (cumulated < 0.975).sum(axis=1),
        p_beats=np.array([(row > draws).mean(axis=1) for row in draws]),
        leader=int(p_best.argmax()),
        nu=nu,
    )


def t_quantile(p: float, nu: float) -> float:
    """Return Student's t quantile for 0 < p < 1 and nu >= 1 (inf: the normal), to a relative error of 1e-7
    (1e-8 from nu = 2).

    With t = sqrt(nu) tan(phi) the density is proportional to cos(phi)^(nu - 1), smooth enough for
    Gauss-Legendre; Newton in phi then solves for p. scipy.special.stdtrit is the peer in the tests.
    """
    if not (0 < p < 1 and nu >= 1):
        raise ValueError(f"t quantile of p={p} at nu={nu}: needs 0 < p < 1 and nu >= 1")
    if p < 0.5:
        return -t_quantile(1 - p, nu)
    normal = NormalDist().inv_cdf(p)
    if nu > ALMOST_NORMAL:
        return normal
    if nu < 1e5:
        norm = exp(lgamma((nu + 1) / 2) - lgamma(nu / 2)) / sqrt(pi)
    else:  # Stirling, where lgamma would lose digits
        norm = sqrt(nu / (2 * pi)) * (1 - 1 / (4 * nu))
    nodes, weights = LEGENDRE
    phi = float(np.arctan(normal / sqrt(nu)))
    for _ in range(50):
        area = phi / 2 * float(weights @ np.cos(phi * (1 + nodes) / 2) ** (nu - 1))
        step = (0.5 + norm * area - p) / (norm * np.cos(phi) ** (nu - 1))
        # The density falls with phi, so a full step from below may leave the range; go half way to its end
        # instead.
        phi = float(phi - step) if phi - step < pi / 2 else (phi + pi / 2) / 2
        if abs(step) < 1e-14:
            break
    return sqrt(nu) * float(np.tan(phi))


def chi_square_quantile(p: Floats, nu: float) -> Floats:
    """Return chi-square quantiles, f8 like p, for 1e-6 < p < 1 - 1e-6 and nu >= 2, to a relative error of
    1e-6.

    In w = (x / nu)^(1/3) the law is nearly normal (Wilson and Hilferty, PNAS 17(12), 1931). Its distribution
    function is tabulated there once and inverted by Newton on cubic Hermite pieces: 20,000 quantiles take
    milliseconds.
    """
    if nu < 2:
        raise ValueError(f"chi-square quantile at nu={nu}: needs nu >= 2")
    sd = sqrt(2 / (9 * nu))
    start = max(1 - sd**2 - 9 * sd, 0.0)
    w = np.linspace(start, 1 - sd**2 + 9 * sd, 2001)
    step = w[1] - w[0]
    nodes, weights = np.polynomial.legendre.leggauss(5)
    inner = w[:-1, None] + step * (1 + nodes) / 2
    cdf = np.concatenate([[0.0], np.cumsum(_cube_root_density(inner, nu) @ weights * step / 2)])
    # The table's own total, not a gamma function, sets the constant: lgamma loses all digits at large nu.
    density = _cube_root_density(w, nu) * step / cdf[-1]
    cdf /= cdf[-1]
    k = np.clip(np.searchsorted(cdf, p, side="right") - 1, 0, len(w) - 2)
    rise, left, right = cdf[k + 1] - cdf[k], density[k], density[k + 1]
    square, cube = 3 * rise - 2 * left - right, left + right - 2 * rise
    target = p - cdf[k]
    u = target / np.where(rise > 0, rise, 1.0)
    for _ in range(3):
        slope = left + u * (2 * square + 3 * u * cube)
        u = u - (u * (left + u * (square + u * cube)) - target) / np.where(slope > 0, slope, 1.0)
    x: Floats = nu * (w[k] + step * u) ** 3
    return x


def _cube_root_density(w: Floats, nu: float) -> Floats:
    """Return, but for a constant, the density of w = (x / nu)^(1/3), x chi-square with nu degrees of
    freedom."""
    a = nu / 2
    with np.errstate(divide="ignore"):  # log 0 at w = 0, where the density is 0
        density: Floats = np.exp((3 * a - 1) * np.log(w) - a * (w**3 - 1))
    return density
