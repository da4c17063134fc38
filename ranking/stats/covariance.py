"""Two-way clustered covariance of BTL strengths: votes of one voter, and votes on one prompt, hang together.

Per vote e = y - p_ij (y = 1, 1/2, 0 for the lower position) and d = e_i - e_j. With G_v the sum of e*d over
one voter's votes, G_p over one prompt's, and H the Laplacian of n_ij p_ij (1 - p_ij):

    V0 = H+ (sum e^2 d d') H+                       votes independent
    Vv = Kv/(Kv-1) H+ (sum_v G_v G_v') H+           by voter; Vp likewise by prompt
    V  = Vv + Vp - V0

Source: Cameron, Gelbach and Miller, "Robust Inference With Multiway Clustering", JBES 29(2), 2011; degrees of
freedom after Satterthwaite, Biometrics 2(6), 1946. All matrices are f8[n, n] in squared logits, in the gauge
sum(theta) = 0.
"""

from dataclasses import dataclass, replace

import numpy as np

from ranking.stats.btl import PRIOR, Bools, Floats, Ints, Tallies, half_wins, island_labels, probabilities

ENOUGH_VOTES = 30  # below, a candidate's own sandwich rows are noise
MIN_NU = 2.0
MIN_CLUSTERS_LESS_ONE = 0.5
CHUNK = 8192  # clusters summed at a time, so that 100,000 voters need no 100,000 x n matrix


@dataclass(frozen=True)
class Covariance:
    """The parts and their sum; `V`, `Vv` and `Vp` are None with fewer than two voters or two prompts.

    k_eff_voters, k_eff_prompts : (sum n)^2 / sum n^2 over votes n of each cluster.
    """

    V0: Floats
    Vv: Floats | None
    Vp: Floats | None
    V: Floats | None
    H_pinv: Floats
    k_eff_voters: float
    k_eff_prompts: float
    n_voters: int
    n_prompts: int
    n_votes: float

    def contrast(self, c: Floats) -> tuple[float, float]:
        """Return (variance, degrees of freedom) of c' theta, for c of shape f8[n]."""
        variance, nu = self.contrasts(np.asarray(c)[None, :])
        return float(variance[0]), float(nu[0])

    def contrasts(self, c: Floats) -> tuple[Floats, Floats]:
        """Return variances f8[k] and degrees of freedom f8[k] of the k rows of c, f8[k, n].

        v = max(c'Vc, c'Vv c, c'Vp c); nu = max(2, v^2 / s) with
        s = (c'Vv c)^2/(K_eff,v - 1) + (c'Vp c)^2/(K_eff,p - 1).
        Without V: c'V0 c with infinite nu, which understates the error; mark it "one voter".
        """
        if self.V is None or self.Vv is None or self.Vp is None:
            return _quadratic(c, self.V0), np.full(len(c), np.inf)
        by_voter, by_prompt = _quadratic(c, self.Vv), _quadratic(c, self.Vp)
        variance = np.maximum.reduce([_quadratic(c, self.V), by_voter, by_prompt])
        spread = by_voter**2 / max(self.k_eff_voters - 1, MIN_CLUSTERS_LESS_ONE)
        spread += by_prompt**2 / max(self.k_eff_prompts - 1, MIN_CLUSTERS_LESS_ONE)
        nu = np.divide(variance**2, spread, out=np.full(len(c), MIN_NU), where=spread > 0)
        return variance, np.maximum(nu, MIN_NU)

    def mapped(self, a: Floats) -> "Covariance":
        """Return the covariance of a @ theta, a of shape f8[levels, n]: means of candidates by checkpoint,
        say."""
        return replace(
            self,
            V0=a @ self.V0 @ a.T,
            Vv=None if self.Vv is None else a @ self.Vv @ a.T,
            Vp=None if self.Vp is None else a @ self.Vp @ a.T,
            V=None if self.V is None else a @ self.V @ a.T,
            H_pinv=a @ self.H_pinv @ a.T,
        )


def estimate(voters: Tallies, prompts: Tallies, theta: Floats) -> Covariance:
    """Compute the covariance of theta, f8[n], from the same votes summed by voter and by prompt.

    Voters joined by `merged_into` must share one cluster number. Cost: linear in tally rows, plus clusters *
    n^2.

    Raises
    ------
    ValueError
        The two sums hold different numbers of votes, so they cannot be of the same votes.
    """
    n = len(theta)
    total = float(voters.votes.sum())
    if not np.isclose(total, prompts.votes.sum()):
        raise ValueError(f"tallies by voter hold {total:g} votes, by prompt {prompts.votes.sum():g}")
    h_pinv = information_pinv(half_wins(voters, n), theta, prior=0.0)
    n_voters, k_voters = _clusters(voters)
    n_prompts, k_prompts = _clusters(prompts)
    v0 = h_pinv @ _meat_by_vote(voters, theta) @ h_pinv
    vv = vp = v = None
    if n_voters > 1 and n_prompts > 1:
        vv = n_voters / (n_voters - 1) * (h_pinv @ _meat_by_cluster(voters, theta) @ h_pinv)
        vp = n_prompts / (n_prompts - 1) * (h_pinv @ _meat_by_cluster(prompts, theta) @ h_pinv)
        v = vv + vp - v0
    return Covariance(v0, vv, vp, v, h_pinv, k_voters, k_prompts, n_voters, n_prompts, total)


def information_pinv(wins: Floats, theta: Floats, *, prior: float = PRIOR) -> Floats:
    """Return the pseudo-inverse f8[n, n] of the Laplacian of (n_ij + 2 prior) p_ij (1 - p_ij).

    With prior = 0 this is H+; with the fit's prior it is H_c+, which is finite for islands and unseen
    candidates.
    """
    p = probabilities(theta)
    weights = (wins + wins.T + 2 * prior) * p * (1 - p)
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    return np.asarray(np.linalg.pinv(laplacian, rcond=1e-10, hermitian=True), dtype=np.float64)


def weak_candidates(wins: Floats) -> Bools:
    """Mark, bool[n], those with fewer than 30 votes or off the island that has most votes."""
    votes = (wins + wins.T).sum(axis=1)
    weak: Bools = (votes < ENOUGH_VOTES) | (island_labels(wins) != 0)
    return weak


def with_pseudo_rows(covariance: Covariance, h_c_pinv: Floats, weak: Bools) -> Covariance:
    """Take the rows and columns of weak candidates from H_c+ in every part of the covariance.

    Their own sandwich is either empty (an island's is zero: certainty where nothing is known) or noise. The
    result need not be positive semidefinite; `root` mends that.
    """
    either = weak[:, None] | weak[None, :]

    def swap(part: Floats | None) -> Floats | None:
        return None if part is None else np.where(either, h_c_pinv, part)

    return replace(
        covariance,
        V0=np.where(either, h_c_pinv, covariance.V0),
        Vv=swap(covariance.Vv),
        Vp=swap(covariance.Vp),
        V=swap(covariance.V),
        H_pinv=np.where(either, h_c_pinv, covariance.H_pinv),
    )


def for_draws(covariance: Covariance) -> Floats:
    """Return the positive semidefinite f8[n, n] to draw from, and to publish: V made proper, or H+ where V is
    None.

    Negative eigenvalues are clipped, then a variance that stands below max(Vv, Vp) is scaled up to it.
    """
    if covariance.V is None or covariance.Vv is None or covariance.Vp is None:
        return _clip(covariance.H_pinv)
    floor = np.maximum(np.diag(covariance.Vv), np.diag(covariance.Vp))
    clipped = _clip(covariance.V)
    variance = np.diag(clipped)
    empty = variance <= 1e-12 * floor
    scale = np.where(empty, 1.0, np.sqrt(np.maximum(floor / np.where(empty, 1.0, variance), 1.0)))
    # Scaling cannot lift a zero row, so such a variance is put there instead.
    scaled: Floats = clipped * scale[:, None] * scale[None, :] + np.diag(np.where(empty, floor, 0.0))
    return scaled


def root(covariance: Covariance) -> Floats:
    """Return the symmetric root R, f8[n, n], of `for_draws(covariance)`: R R = V."""
    values, vectors = np.linalg.eigh(for_draws(covariance))
    symmetric: Floats = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return symmetric


def _clip(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    clipped: Floats = (vectors * np.clip(values, 0.0, None)) @ vectors.T
    return clipped


def _quadratic(c: Floats, matrix: Floats) -> Floats:
    """Return c_k' M c_k for each row; never below zero, which only rounding or a subtracted V0 could give."""
    values: Floats = np.maximum(((c @ matrix) * c).sum(axis=1), 0.0)
    return values


def _clusters(tallies: Tallies) -> tuple[int, float]:
    """Return the number of clusters that have votes, and their effective number."""
    _, index = np.unique(tallies.cluster, return_inverse=True)
    sizes = np.bincount(index, tallies.votes)
    squares = float((sizes**2).sum())
    return int((sizes > 0).sum()), float(sizes.sum() ** 2 / squares) if squares else 0.0


def _meat_by_vote(tallies: Tallies, theta: Floats) -> Floats:
    """Return sum e^2 d d', f8[n, n]: a Laplacian, since e takes three values in a cell."""
    n = len(theta)
    p = probabilities(theta)[tallies.lo, tallies.hi]
    squares = tallies.lo_wins * (1 - p) ** 2 + tallies.hi_wins * p**2 + tallies.ties * (0.5 - p) ** 2
    cells = np.bincount(tallies.lo * n + tallies.hi, squares, n * n).reshape(n, n)
    cells = cells + cells.T
    return np.diag(cells.sum(axis=1)) - cells


def _meat_by_cluster(tallies: Tallies, theta: Floats) -> Floats:
    """Return sum over clusters of G G', f8[n, n]."""
    n = len(theta)
    p = probabilities(theta)[tallies.lo, tallies.hi]
    scores = tallies.lo_wins * (1 - p) - tallies.hi_wins * p + tallies.ties * (0.5 - p)
    _, cluster = np.unique(tallies.cluster, return_inverse=True)
    order = np.argsort(cluster, kind="stable")
    ordered = cluster[order]
    meat = np.zeros((n, n))
    for first in range(0, int(ordered[-1]) + 1 if len(ordered) else 0, CHUNK):
        rows = order[slice(*np.searchsorted(ordered, [first, first + CHUNK]))]
        sums = _sums(cluster[rows] - first, tallies.lo[rows], tallies.hi[rows], scores[rows], n)
        meat += sums.T @ sums
    return meat


def _sums(cluster: Ints, lo: Ints, hi: Ints, scores: Floats, n: int) -> Floats:
    """Return G, f8[clusters, n]: the score of each row added to its lo and taken from its hi."""
    size = (int(cluster.max()) + 1) * n
    sums: Floats = np.zeros(size)
    sums += np.bincount(cluster * n + lo, scores, size)
    sums -= np.bincount(cluster * n + hi, scores, size)
    return sums.reshape(-1, n)
