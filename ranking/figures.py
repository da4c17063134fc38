"""The body of Figures: everything that a dashboard page shows of one round at one level and slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking.arrays import Sums
from ranking.fitting import AtLevel, Fitted
from ranking.levels import Level, Member
from ranking.stats import btl
from ranking.stats.btl import Floats

SLICES = tuple(
    language + without for language in ("all", "ja", "en") for without in ("", "-without_insiders")
)
BEHIND = 0.975  # the leader beats it with this probability or more


@dataclass(frozen=True)
class Facts:
    """What the responses say of each candidate, by position: how many, and shares of flags and twins."""

    responses: Sequence[int]
    flags: Sequence[Mapping[str, float]]
    twins: Sequence[float]


@dataclass(frozen=True)
class Counts:
    """Outcomes by pair of candidates, int64[n, n]: wins of row over column; draws and both_bad symmetric."""

    wins: NDArray[np.int64]
    draws: NDArray[np.int64]
    both_bad: NDArray[np.int64]


def counts(sums: Sums, rows: NDArray[np.bool_], n: int) -> Counts:
    lo, hi, values = sums.voter_lo[rows], sums.voter_hi[rows], sums.voter_counts[rows]
    wins, draws, both_bad = (np.zeros((n, n), dtype=np.int64) for _ in range(3))
    np.add.at(wins, (lo, hi), values[:, 0])
    np.add.at(wins, (hi, lo), values[:, 1])
    for table, number in ((draws, values[:, 2] + values[:, 3]), (both_bad, values[:, 3])):
        np.add.at(table, (lo, hi), number)
        np.add.at(table, (hi, lo), number)
    return Counts(wins, draws, both_bad)


def body(
    *, slug: str, sums: Sums, slice_: str, level: Level, fitted: Fitted | None, at: AtLevel | None, facts: Facts,
    verdict: dict[str, Any], looks: list[dict[str, Any]], p_best: Floats | None, seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """Plain JSON. `fitted` and `at` are None before the first vote of the slice."""
    voter_rows, prompt_rows = sums.chosen(slice_)
    table = counts(sums, voter_rows, level.n)
    order = _order(at, level)
    rows = [_row(level, k, table, at, facts, p_best) for k in order]
    _rank(rows)
    pick = level.sums[order]
    wins, draws = (pick @ part @ pick.T for part in (table.wins, table.draws))
    return {
        "round": slug,
        "votes": fitted.votes if fitted else 0,
        "voters": fitted.cov.n_voters if fitted else 0,
        "prompts": fitted.cov.n_prompts if fitted else 0,
        "k_eff_voters": fitted.cov.k_eff_voters if fitted else 0.0,
        "k_eff_prompts": fitted.cov.k_eff_prompts if fitted else 0.0,
        "votes_ja": int(sums.voter_counts[voter_rows & sums.voter_japanese].sum()),
        "votes_en": int(sums.voter_counts[voter_rows & ~sums.voter_japanese].sum()),
        "one_voter": bool(fitted and fitted.one_voter),
        "islands": int(at.islands.max()) + 1 if at else len(level.members),
        "rows": rows,
        "wins": wins.astype(int).tolist(),
        "draws": draws.astype(int).tolist(),
        "win_rate": _rates(wins, draws),
        "p_beats": _beats(at, order),
        "verdict": verdict,
        "looks": looks,
        "fit_seconds": seconds,
        "settings": {"prior": btl.PRIOR, "ties": "half-wins", "covariance": "two-way clustered"},
        **_shares(table, fitted, sums, prompt_rows),
    }


def _order(at: AtLevel | None, level: Level) -> list[int]:
    """Strongest first; the retired behind the others; before the first vote by position."""
    if at is None:
        return list(range(len(level.members)))
    return sorted(range(len(level.members)), key=lambda k: (not at.active[k], -at.theta[k]))


def _row(
    level: Level, k: int, table: Counts, at: AtLevel | None, facts: Facts, p_best: Floats | None
) -> dict[str, Any]:
    member = level.members[k]
    belongs, others = level.sums[k], 1 - level.sums[k]
    wins, losses = float(belongs @ table.wins @ others), float(others @ table.wins @ belongs)
    draws, both_bad = float(belongs @ table.draws @ others), float(belongs @ table.both_bad @ others)
    row: dict[str, Any] = {
        "position": member.positions[0], "id": member.id, "label": member.label, "retired": member.retired,
        "votes": int(wins + draws + losses), "wins": int(wins), "draws": int(draws), "losses": int(losses),
        "both_bad": int(both_bad), **_about(member, facts),
        "theta": 0.0, "elo": 0.0, "elo_low": 0.0, "elo_high": 0.0, "island": k if at is None else int(at.islands[k]),
        "p_best": None, "p_top3": None, "p_beaten_by_leader": None, "rank_low": None, "rank_high": None,
        "group": "not_distinguishable",
    }  # fmt: skip
    return row if at is None else row | _strength(at, k, p_best)


def _strength(at: AtLevel, k: int, p_best: Floats | None) -> dict[str, Any]:
    low, high = at.intervals.low[k], at.intervals.high[k]
    if k == at.leader and at.leader_interval is not None:
        low, high = at.leader_interval.low, at.leader_interval.high
    found: dict[str, Any] = {
        "theta": float(at.theta[k]),
        "elo": float((at.theta[k] - at.theta.mean()) * btl.ELO),
        "elo_low": float(low * btl.ELO),
        "elo_high": float(high * btl.ELO),
    }
    if at.posterior is None or p_best is None:
        return found | {"group": "leader" if k == at.leader else "not_distinguishable"}
    beaten = None if k == at.posterior.leader else float(at.posterior.p_beats[at.posterior.leader, k])
    return found | {
        "p_best": float(p_best[k]),
        "p_top3": float(at.posterior.p_top3[k]),
        "rank_low": int(at.posterior.rank_low[k]),
        "rank_high": int(at.posterior.rank_high[k]),
        "p_beaten_by_leader": beaten,
        "group": "leader" if beaten is None else "behind" if beaten >= BEHIND else "not_distinguishable",
    }


def _about(member: Member, facts: Facts) -> dict[str, Any]:
    """Shares over the member's candidates, weighted by their numbers of responses."""
    numbers = np.array([facts.responses[k] for k in member.positions], dtype=float)
    total = float(numbers.sum())

    def mean(values: Sequence[float]) -> float:
        return float(numbers @ np.array(values) / total) if total else 0.0

    return {
        "responses": int(total),
        "twins_share": mean([facts.twins[k] for k in member.positions]),
        "flags": {
            code: mean([facts.flags[k].get(code, 0.0) for k in member.positions])
            for code in ("empty", "cut_off")
        },
    }


def _rank(rows: list[dict[str, Any]]) -> None:
    for rank, row in enumerate(rows, start=1):
        row["rank"] = rank


def _rates(wins: Floats, draws: Floats) -> list[list[float | None]]:
    met = wins + wins.T + draws
    return [
        [
            float((wins[i, j] + draws[i, j] / 2) / met[i, j]) if met[i, j] and i != j else None
            for j in range(len(met))
        ]
        for i in range(len(met))
    ]


def _beats(at: AtLevel | None, order: list[int]) -> list[list[float | None]]:
    if at is None or at.posterior is None:
        return [[None for _ in order] for _ in order]
    return [[float(at.posterior.p_beats[i, j]) if i != j else None for j in order] for i in order]


def _shares(
    table: Counts, fitted: Fitted | None, sums: Sums, prompt_rows: NDArray[np.bool_]
) -> dict[str, Any]:
    votes = fitted.votes if fitted else 0
    by_side = sums.prompt_counts[prompt_rows]
    lo_left = sums.lo_is_left[prompt_rows]
    decided = int(by_side[:, :2].sum())
    left = int(by_side[lo_left, 0].sum() + by_side[~lo_left, 1].sum())
    skips, cannot_judge, reports = (int(by_side[:, k].sum()) for k in (4, 5, 6))
    return {
        "tie_rate": float(table.draws.sum() / 2 / votes) if votes else None,
        "both_bad_share": float(table.both_bad.sum() / 2 / votes) if votes else None,
        "tie_p_value": float(fitted.tie_test.p_value) if fitted else None,
        "tie_rules": ["half-wins"],
        "left_share": left / decided if decided else None,
        "skips": skips,
        "cannot_judge": cannot_judge,
        "reports": reports,
    }
