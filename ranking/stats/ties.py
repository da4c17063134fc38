"""Do candidates differ in how often they tie? And predicted win, tie and loss rates by a Davidson head."""

from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt

import numpy as np

from ranking.stats.btl import Floats, Tallies

ALARM = 0.01  # below this p-value, P(best) is the smaller of half-wins and dropped ties


@dataclass(frozen=True)
class TieTest:
    """Chi-square test that all candidates tie equally often; rates : f8[n], nan for one without votes."""

    statistic: float
    df: int
    p_value: float
    rates: Floats

    @property
    def is_alarm(self) -> bool:
        """Half-wins may favour the candidate that ties more: see `ALARM`."""
        return self.p_value < ALARM


@dataclass(frozen=True)
class DavidsonHead:
    """P(tie) : P(win) : P(loss) = nu : exp(x/2) : exp(-x/2), x = slope * (theta_i - theta_j)."""

    slope: float
    nu: float

    def predict(self, gap: Floats | float) -> Floats:
        """Return win, tie and loss rates, f8[..., 3], for gap = theta_i - theta_j in logits."""
        half = self.slope * np.asarray(gap, dtype=np.float64) / 2
        rates = np.stack([np.exp(half), np.full_like(half, self.nu), np.exp(-half)], axis=-1)
        return np.asarray(rates / rates.sum(axis=-1, keepdims=True), dtype=np.float64)


def tie_test(tallies: Tallies, n: int) -> TieTest:
    """Test whether tie rates differ by candidate.

    A vote counts for both its candidates, so Pearson's sum over candidates is not chi-square. With T_i the
    ties and m_i the votes of candidate i and r the overall rate, U = T - r m has covariance r (1 - r) (D + N
    - m m'/votes), D the diagonal of m and N the votes by pair; the score statistic is U' of its
    pseudo-inverse U, on its rank.
    """
    votes, ties = _by_pair(tallies, tallies.votes, n), _by_pair(tallies, tallies.ties, n)
    m, t = votes.sum(axis=1), ties.sum(axis=1)
    rates = np.divide(t, m, out=np.full(n, np.nan), where=m > 0)
    total = m.sum() / 2
    rate = t.sum() / m.sum() if total else 0.0
    if not 0 < rate < 1:
        return TieTest(0.0, 0, 1.0, rates)
    values, vectors = np.linalg.eigh(np.diag(m) + votes - np.outer(m, m) / total)
    kept = values > 1e-9 * values.max(initial=0.0)
    projected = vectors[:, kept].T @ (t - rate * m)
    statistic = float((projected**2 / values[kept]).sum() / (rate * (1 - rate)))
    df = int(kept.sum())
    return TieTest(statistic, df, chi_square_tail(statistic, df), rates)


def davidson_head(tallies: Tallies, theta: Floats, *, iterations: int = 50) -> DavidsonHead:
    """Fit slope and nu by maximum likelihood, theta f8[n] held fixed; half a pseudo-vote of each outcome.

    Half-wins give the right order on too narrow a scale; two parameters mend the predicted rates.
    Source: Davidson, "On Extending the Bradley-Terry Model to Accommodate Ties", JASA 65(329), 1970.
    """
    gap = np.append(theta[tallies.lo] - theta[tallies.hi], 0.0)
    wins, ties, losses = (np.append(k, 0.5) for k in (tallies.lo_wins, tallies.ties, tallies.hi_wins))
    total = wins + ties + losses
    slope, log_nu = 1.0, 0.0
    for _ in range(iterations):
        p = DavidsonHead(slope, exp(log_nu)).predict(gap)
        mean, tie = (p[:, 0] - p[:, 2]) / 2, p[:, 1]
        score = np.array([(gap * ((wins - losses) / 2 - total * mean)).sum(), (ties - total * tie).sum()])
        cross = (total * gap * mean * tie).sum()
        square = (total * gap**2 * ((1 - tie) / 4 - mean**2)).sum() + 1e-9
        step = np.linalg.solve([[square, -cross], [-cross, (total * tie * (1 - tie)).sum()]], score)
        slope, log_nu = slope + float(np.clip(step[0], -1, 1)), log_nu + float(np.clip(step[1], -1, 1))
        if np.abs(step).max() < 1e-10:
            break
    return DavidsonHead(slope, exp(log_nu))


def chi_square_tail(x: float, df: int) -> float:
    """Return P(chi-square with df >= 1 degrees of freedom > x), by the finite sum that whole df allow; 1 for
    df = 0.

    Q(a + 1, y) = Q(a, y) + y^a exp(-y) / Gamma(a + 1), y = x/2, from Q(1/2, y) = erfc(sqrt y) or Q(1, y) =
    exp(-y).
    """
    if df < 1 or x <= 0:
        return 1.0
    y = x / 2
    a, tail = (0.5, erfc(sqrt(y))) if df % 2 else (1.0, exp(-y))
    while a < df / 2:
        tail += exp(a * log(y) - y - lgamma(a + 1))
        a += 1
    return min(tail, 1.0)


def _by_pair(tallies: Tallies, values: Floats, n: int) -> Floats:
    """Sum values of tally rows into a symmetric f8[n, n]."""
    cells = np.bincount(tallies.lo * n + tallies.hi, values, n * n).reshape(n, n)
    return np.asarray(cells + cells.T, dtype=np.float64)
