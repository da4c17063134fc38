"""Two-way bootstrap over voters x prompts: the slow reference that the covariance formula is held against."""

from dataclasses import dataclass

import numpy as np

from ranking.stats.btl import PRIOR, Floats, Ints, fit

BOOTSTRAP_TOL = 1e-5  # within 0.001 Elo of a full fit


@dataclass(frozen=True)
class Votes:
    """Single votes, arrays of one length: any integer for voter and prompt, positions lo < hi, y = 1, 1/2 or
    0 for lo."""

    voter: Ints
    prompt: Ints
    lo: Ints
    hi: Ints
    y: Floats


def two_way(votes: Votes, n: int, *, rounds: int, rng: np.random.Generator, prior: float = PRIOR) -> Floats:
    """Refit with each vote weighted by w_voter * w_prompt, both Poisson(1); return theta, f8[rounds, n].

    The product weight has variance 3, not 1, so where votes hang together by nothing the spread is three
    times V0: in expectation the bootstrap covariance is (Vv - V0) + (Vp - V0) + 3 V0 = V + 2 V0. It errs on
    the safe side, and a test must compare it with V + 2 V0.

    Source: Owen and Eckles, "Bootstrapping Data Arrays of Arbitrary Order", Annals of Applied Statistics
    6(3), 2012.
    """
    _, voter = np.unique(votes.voter, return_inverse=True)
    _, prompt = np.unique(votes.prompt, return_inverse=True)
    n_voters, n_prompts = int(voter.max()) + 1, int(prompt.max()) + 1
    start = fit(_wins(votes, np.ones(len(votes.y)), n), prior=prior).theta
    draws = np.empty((rounds, n))
    for k in range(rounds):
        weights = (rng.poisson(1.0, n_voters)[voter] * rng.poisson(1.0, n_prompts)[prompt]).astype(np.float64)
        draws[k] = fit(_wins(votes, weights, n), prior=prior, initial=start, tol=BOOTSTRAP_TOL).theta
    return draws


def _wins(votes: Votes, weights: Floats, n: int) -> Floats:
    wins: Floats = np.zeros(n * n)
    wins += np.bincount(votes.lo * n + votes.hi, weights * votes.y, n * n)
    wins += np.bincount(votes.hi * n + votes.lo, weights * (1 - votes.y), n * n)
    return wins.reshape(n, n)
