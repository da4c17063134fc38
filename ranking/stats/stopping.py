"""When a leader is named (the rule HOLD), and what stands in the way until then.

One look at P(best) >= 95% would name a wrong leader too often, since the rule is asked again at every look;
five in a row with the same leader hold the rate of wrong calls at or under 2.5% for leads of 15 Elo and more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal

import numpy as np

from ranking.stats.btl import Floats
from ranking.stats.covariance import Covariance
from ranking.stats.posterior import t_quantile

P_BEST = 0.95
LOOKS_IN_A_ROW = 5
VOTES_BETWEEN_LOOKS = 40
VOTES_EACH = 100  # of the leader, and of the runner-up
FEW_VOTERS = 8.0  # effective voters, below which the verdict speaks of these few people only

Limit = Literal["voters", "prompts", "votes"]


@dataclass(frozen=True)
class Look:
    """Who led at one look, by round position or level id, and the P(best) of that leader."""

    leader: int
    p_best: float


@dataclass(frozen=True)
class VarianceParts:
    """Variance of leader - runner-up by source, squared logits: single votes, voters' tastes, prompts."""

    votes: float
    voters: float
    prompts: float

    def after(self, *, votes: float = 1.0, voters: float = 1.0, prompts: float = 1.0) -> float:
        """Return the variance once there are so many times the votes, voters and prompts of today.

        var' = V0 N/N' + (Vv - V0)+ Kv/Kv' + (Vp - V0)+ Kp/Kp'.
        """
        return self.votes / votes + self.voters / voters + self.prompts / prompts

    @property
    def limited_by(self) -> Limit:
        """The largest part: what more of would help most."""
        parts: dict[Limit, float] = {"voters": self.voters, "prompts": self.prompts, "votes": self.votes}
        return max(parts, key=lambda name: parts[name])


@dataclass(frozen=True)
class Forecast:
    """Votes in all at which the leader might be named, if the lead stays what it seems to be.

    low : with new voters and new prompts coming in step with the votes; None if there is no lead.
    high : with today's voters and prompts only; None if no number of their votes is enough.
    limited_by : the largest part of the variance; below two voters or prompts, whichever is short.
    """

    low: int | None
    high: int | None
    limited_by: Limit


def is_look(votes: float, votes_at_last_look: float) -> bool:
    """Tell whether this refresh is a look: at least 40 votes since the last one."""
    return votes - votes_at_last_look >= VOTES_BETWEEN_LOOKS


def named_leader(
    looks: Sequence[Look], *, leader_votes: float, runner_up_votes: float, comparable: bool
) -> int | None:
    """Return the leader to name under HOLD, or None for "no separable winner yet".

    Parameters
    ----------
    looks : oldest first, the current one last; only the last five matter.
    leader_votes, runner_up_votes : votes of the current leader and of the next in P(best).
    comparable : every active candidate has at least 30 votes and stands on the main island
        (no `covariance.weak_candidates` among the active).
    """
    recent = looks[-LOOKS_IN_A_ROW:]
    if len(recent) < LOOKS_IN_A_ROW or not comparable or min(leader_votes, runner_up_votes) < VOTES_EACH:
        return None
    leader = recent[-1].leader
    held = all(look.leader == leader and look.p_best >= P_BEST for look in recent)
    return leader if held else None


def few_voters(covariance: Covariance) -> bool:
    """Tell whether the verdict must be worded as that of a few people, and a confirmation asked for."""
    return covariance.k_eff_voters < FEW_VOTERS


def variance_parts(covariance: Covariance, contrast: Floats) -> VarianceParts:
    """Split the variance of contrast' theta, contrast of shape f8[n], by source; without V all of it is by
    vote."""
    votes = max(float(contrast @ covariance.V0 @ contrast), 0.0)
    if covariance.Vv is None or covariance.Vp is None:
        return VarianceParts(votes, 0.0, 0.0)
    voters = float(contrast @ covariance.Vv @ contrast) - votes
    prompts = float(contrast @ covariance.Vp @ contrast) - votes
    return VarianceParts(votes, max(voters, 0.0), max(prompts, 0.0))


def votes_needed(theta: Floats, covariance: Covariance, leader: int, runner_up: int) -> Forecast:
    """Forecast as a range how many votes the round needs in all until leader - runner-up reaches 95%,
    one-sided.

    An order of magnitude: the estimated lead is taken as true, and rivals below the runner-up are left out.
    """
    contrast = np.zeros(len(theta))
    contrast[leader], contrast[runner_up] = 1.0, -1.0
    if covariance.V is None:
        return Forecast(None, None, "voters" if covariance.n_voters < 2 else "prompts")
    parts = variance_parts(covariance, contrast)
    gap = float(theta[leader] - theta[runner_up])
    if gap <= 0:
        return Forecast(None, None, parts.limited_by)
    _, nu = covariance.contrast(contrast)
    easy, hard = (gap / t_quantile(P_BEST, inf)) ** 2, (gap / t_quantile(P_BEST, nu)) ** 2
    low = ceil(covariance.n_votes * max(parts.after() / easy, 1.0))
    left = hard - parts.voters - parts.prompts
    high = ceil(covariance.n_votes * max(parts.votes / left, 1.0)) if left > 0 else None
    return Forecast(low, high, parts.limited_by)
