"""Bradley-Terry-Luce strengths by choix's iterative Luce spectral ranking.

Model: P(i beats j) = p_ij = 1 / (1 + exp(theta_j - theta_i)). A tie, of either kind, is half a win for each
side. Gauge: theta has mean zero. Scale: natural logits; `to_elo` converts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import choix
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ELO = 400 / log(10)  # Elo per logit
PRIOR = 0.1  # pseudo-wins in every off-diagonal cell


class DidNotConverge(RuntimeError):
    """The fit did not settle within its iterations; raise `max_iter` or look for absurd counts."""

    def __init__(self, iterations: int, tol: float) -> None:
        super().__init__(f"BTL fit did not converge in {iterations} iterations to tol={tol:g}")
        self.iterations = iterations
        self.tol = tol


@dataclass(frozen=True)
class Tallies:
    """Votes summed by (cluster, pair), one row each; all arrays have the length of the rows.

    A cluster is a voter or a prompt, by any integer that names it. `lo` and `hi` are positions, lo < hi.
    `ties` holds both kinds, "about equally good" and "both bad".
    """

    cluster: Ints
    lo: Ints
    hi: Ints
    lo_wins: Floats
    hi_wins: Floats
    ties: Floats

    @property
    def votes(self) -> Floats:
        """Votes of each row."""
        return self.lo_wins + self.hi_wins + self.ties


@dataclass(frozen=True)
class Fit:
    """Strengths, and the settings that gave them.

    theta : f8[n], logits, mean zero.
    probabilities : f8[n, n], p_ij; the diagonal is one half.
    residual : largest absolute component of the score of the penalised likelihood, in wins.
    """

    theta: Floats
    probabilities: Floats
    residual: float
    prior: float
    tol: float
    max_iter: int


def fit(
    wins: Floats,
    *,
    prior: float = PRIOR,
    initial: Floats | None = None,
    tol: float = 1e-8,
    max_iter: int = 1000,
) -> Fit:
    """Maximise sum_ij (wins_ij + prior) log p_ij over theta with mean zero.

    The pseudo-wins keep an undefeated candidate finite and hold islands together around zero: strengths
    across islands come from them alone, so mark these "not comparable" (see `islands`).

    Parameters
    ----------
    wins : f8[n, n], half-wins of row over column; the diagonal is ignored.
    prior : pseudo-wins added to every off-diagonal cell, above 0.
    initial : f8[n], where to start, such as the previous theta.
    tol : mean absolute change of theta between iterations, logits.

    Raises
    ------
    ValueError
        A count is negative or not finite (choix would accept a negative one silently), or a shape is wrong.
    DidNotConverge
        `max_iter` iterations were not enough.

    References
    ----------
    Maystre and Grossglauser, "Fast and Accurate Inference of Plackett-Luce Models", NeurIPS 2015 (I-LSR).
    """
    wins = np.asarray(wins, dtype=np.float64)
    _check(wins, prior, initial)
    n = len(wins)
    counts = np.where(np.eye(n, dtype=bool), 0.0, wins + prior)
    theta = _ilsr(counts, initial, tol, max_iter) if n > 1 else np.zeros(1)
    p = probabilities(theta)
    score = (counts - (counts + counts.T) * p).sum(axis=1)
    return Fit(theta, p, float(np.abs(score).max()), prior, tol, max_iter)


def _check(wins: Floats, prior: float, initial: Floats | None) -> None:
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or not wins.size:
        raise ValueError(f"wins must be a square matrix, not of shape {wins.shape}")
    bad = np.argwhere(~(np.isfinite(wins) & (wins >= 0)))
    if len(bad):
        i, j = (int(k) for k in bad[0])
        raise ValueError(f"wins[{i}, {j}] is {wins[i, j]}: counts must be finite and not negative")
    if not prior > 0:
        raise ValueError(f"prior is {prior}: above 0 keeps an undefeated candidate finite")
    if initial is not None and np.shape(initial) != (len(wins),):
        raise ValueError(f"initial has shape {np.shape(initial)} for {len(wins)} candidates")


def _ilsr(counts: Floats, initial: Floats | None, tol: float, max_iter: int) -> Floats:
    try:
        theta = choix.ilsr_pairwise_dense(counts, alpha=0, initial_params=initial, max_iter=max_iter, tol=tol)
    except RuntimeError as error:
        raise DidNotConverge(max_iter, tol) from error
    centred: Floats = theta - theta.mean()
    return centred


def probabilities(theta: Floats) -> Floats:
    """Return p_ij, f8[n, n], from theta, f8[n]."""
    p: Floats = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    return p


def half_wins(tallies: Tallies, n: int) -> Floats:
    """Sum tally rows into wins, f8[n, n], ties counting one half to each side."""
    wins: Floats = np.zeros(n * n)
    wins += np.bincount(tallies.lo * n + tallies.hi, tallies.lo_wins + tallies.ties / 2, n * n)
    wins += np.bincount(tallies.hi * n + tallies.lo, tallies.hi_wins + tallies.ties / 2, n * n)
    return wins.reshape(n, n)


def decisive_wins(tallies: Tallies, n: int) -> Floats:
    """Sum tally rows into wins, f8[n, n], with ties dropped."""
    return half_wins(
        Tallies(tallies.cluster, tallies.lo, tallies.hi, tallies.lo_wins, tallies.hi_wins, 0 * tallies.ties),
        n,
    )


def islands(wins: Floats) -> list[list[int]]:
    """Return the connected components of the comparison graph, the one with most votes first.

    Two candidates are joined by any vote between them, whoever won.
    """
    votes = wins + wins.T
    left = set(range(len(wins)))
    found: list[list[int]] = []
    while left:
        stack = [left.pop()]
        island = set(stack)
        while stack:
            near = {int(j) for j in np.flatnonzero(votes[stack.pop()])} & left
            left -= near
            island |= near
            stack.extend(near)
        found.append(sorted(island))
    return sorted(found, key=lambda island: (-votes[island].sum(), island))


def island_labels(wins: Floats) -> Ints:
    """Return for each candidate the index of its island in `islands(wins)`; 0 is the one with most votes."""
    labels = np.zeros(len(wins), dtype=np.int64)
    for label, island in enumerate(islands(wins)):
        labels[island] = label
    return labels


def to_elo(theta: Floats | Sequence[float], *, centre: float = 1000.0) -> Floats:
    """Convert logits to Elo-like points, `centre` being a candidate of mean strength."""
    return centre + ELO * np.asarray(theta, dtype=np.float64)
