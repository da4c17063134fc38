"""Which candidate to release, and if that cannot be said, what limits the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ranking.fitting import AtLevel, Fitted
from ranking.stats import btl, stopping
from ranking.stats.btl import Floats


def verdict(
    fitted: Fitted, at: AtLevel, looks: Sequence[stopping.Look], p_best: Floats | None
) -> dict[str, Any]:
    """`looks`: oldest first, the current one last where this refresh is one. `p_best` after the test of tie rates."""
    base = nothing() | {"leader": at.level.members[at.leader].label, "lead_elo": None}
    if at.posterior is None or p_best is None:
        return base | {"state": "more_voters", "limits": "voters" if fitted.cov.n_voters < 2 else "prompts"}
    leader = at.posterior.leader
    second = _second(at, leader)
    comparable = not bool(at.weak[at.active].any())
    forecast = None
    if second is not None and comparable:  # under 30 votes each, a forecast would be a number out of noise
        forecast = stopping.votes_needed(at.theta, at.cov, leader, second)
    named = None
    if second is not None:
        named = stopping.named_leader(
            looks,
            leader_votes=votes_of(fitted, at, leader),
            runner_up_votes=votes_of(fitted, at, second),
            comparable=comparable,
        )
    sure = float(p_best[leader])
    state = "no_separable_winner"
    if sure >= stopping.P_BEST and comparable:
        state = "named" if named == leader else "leads"
    return base | {
        "state": state,
        "leader": at.level.members[leader].label,
        "second": at.level.members[second].label if second is not None else None,
        "p_best": sure,
        "p_beats_second": float(at.posterior.p_beats[leader, second]) if second is not None else None,
        "lead_elo": float((at.theta[leader] - at.theta[second]) * btl.ELO) if second is not None else None,
        "limits": forecast.limited_by if forecast else "votes",
        "votes_needed_low": _more(forecast.low, fitted.votes, looks) if forecast else None,
        "votes_needed_high": _more(forecast.high, fitted.votes, looks) if forecast else None,
        "few_voters": stopping.few_voters(fitted.cov),
    }


def nothing() -> dict[str, Any]:
    """The verdict before the first vote; every key is always there."""
    return {
        "state": "no_votes", "leader": None, "second": None, "p_best": None, "p_beats_second": None, "lead_elo": None,
        "limits": None, "votes_needed_low": None, "votes_needed_high": None, "few_voters": False, "voters_needed": None,
    }  # fmt: skip


def _second(at: AtLevel, leader: int) -> int | None:
    """The runner-up in P(best) among the active."""
    assert at.posterior is not None
    p_best = at.posterior.p_best
    rivals = [int(k) for k in np.flatnonzero(at.active) if k != leader]
    return max(rivals, key=lambda k: (p_best[k], at.theta[k])) if rivals else None


def votes_of(fitted: Fitted, at: AtLevel, member: int) -> float:
    """Votes in which the member's candidates met others of another member."""
    belongs = at.level.sums[member]
    met = fitted.wins + fitted.wins.T
    return float(belongs @ met @ (1 - belongs))


def _more(in_all: int | None, now: int, looks: Sequence[stopping.Look]) -> int | None:
    """At least what the looks still missing take: five in a row, 40 votes apart."""
    if in_all is None:
        return None
    held = 0
    for look in reversed(looks):
        if look.leader != looks[-1].leader or look.p_best < stopping.P_BEST:
            break
        held += 1
    missing = max(stopping.LOOKS_IN_A_ROW - held, 0)
    return max(in_all - now, missing * stopping.VOTES_BETWEEN_LOOKS)
