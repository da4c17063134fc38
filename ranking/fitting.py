"""One slice of a round, fitted: strengths, covariance and, where it can be said, who is best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranking.levels import Level
from ranking.stats import btl, covariance, posterior, ties
from ranking.stats.btl import Bools, Floats, Tallies
from ranking.stats.posterior import LeaderInterval


@dataclass(frozen=True)
class Fitted:
    """At level candidate; `at` maps it to another level."""

    by_voter: Tallies
    wins: Floats  # half-wins f8[n, n]
    theta: Floats
    cov: covariance.Covariance
    weak: Bools
    islands: NDArray[np.int64]
    tie_test: ties.TieTest

    @property
    def votes(self) -> int:
        return int(self.by_voter.votes.sum())

    @property
    def one_voter(self) -> bool:
        return self.cov.V is None


def fit(by_voter: Tallies, by_prompt: Tallies, n: int, *, initial: Floats | None = None) -> Fitted:
    wins = btl.half_wins(by_voter, n)
    if initial is not None and len(initial) != n:
        initial = None  # candidates joined since
    theta = btl.fit(wins, initial=initial).theta
    weak = covariance.weak_candidates(wins)
    cov = covariance.with_pseudo_rows(
        covariance.estimate(by_voter, by_prompt, theta), covariance.information_pinv(wins, theta), weak
    )
    return Fitted(by_voter, wins, theta, cov, weak, btl.island_labels(wins), ties.tie_test(by_voter, n))


@dataclass(frozen=True)
class AtLevel:
    """The fitted slice, seen at one level; arrays are over the level's members."""

    level: Level
    theta: Floats
    cov: covariance.Covariance
    weak: Bools
    active: Bools
    islands: NDArray[np.int64]
    leader: int
    intervals: posterior.Intervals
    posterior: posterior.Posterior | None
    leader_interval: LeaderInterval | None


def at_level(fitted: Fitted, level: Level, round_id: int) -> AtLevel:
    a = level.means
    theta, cov = a @ fitted.theta, fitted.cov.mapped(a)
    positions = [member.positions[0] for member in level.members]
    weak = np.array([bool(fitted.weak[list(member.positions)].any()) for member in level.members])
    islands = np.array([int(fitted.islands[list(member.positions)].min()) for member in level.members])
    active = np.array([not member.retired for member in level.members])
    found = None
    if cov.V is not None and len(theta) > 1 and active.any():
        found = posterior.posterior(
            theta, cov, round_id=round_id, positions=np.array(positions), active=active
        )
    leader = int(np.argmax(np.where(active, theta, -np.inf))) if active.any() else int(np.argmax(theta))
    return AtLevel(
        level, theta, cov, weak, active, islands, leader,
        posterior.intervals(theta, cov), found,
        posterior.leader_interval(theta, cov, leader) if found is not None and _spread_shows(theta, cov) else None,
    )  # fmt: skip


def _spread_shows(theta: Floats, cov: covariance.Covariance) -> bool:
    """Whether the strengths differ by more than their noise. Empirical Bayes has nothing to learn from before that:
    at its least spread it would draw the leader's interval narrow around the mean, the surer the fewer the votes."""
    noise = float(np.diag(covariance.for_draws(cov)).mean())
    return float(theta.var()) - noise > posterior.LEAST_SPREAD**2
