"""Figures bodies of any size, shaped as the refresh writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def make_row(position: int, label: str, theta: float, **fields: Any) -> dict[str, Any]:
    elo = theta * 400 / math.log(10)
    return {
        "position": position, "id": position + 1, "label": label, "group": "behind", "theta": theta, "elo": elo,
        "elo_low": elo - 30, "elo_high": elo + 30, "rank": position + 1, "rank_low": max(position, 1),
        "rank_high": position + 3, "p_best": 0.001, "p_top3": 0.1, "p_beaten_by_leader": 0.99, "votes": 200,
        "wins": 80, "draws": 50, "losses": 70, "both_bad": 5, "island": 0, "retired": False, "twins_share": 0.01,
        "flags": {"empty": 0.0, "cut_off": 0.04 + 0.01 * (position % 3)}, "responses": 96, **fields,
    }  # fmt: skip


def make_verdict(state: str, **fields: Any) -> dict[str, Any]:
    return {
        "state": state, "leader": None, "second": None, "p_best": None, "p_beats_second": None, "lead_elo": None,
        "limits": None, "votes_needed_low": None, "votes_needed_high": None, "few_voters": False,
        "voters_needed": None, **fields,
    }  # fmt: skip


def make_body(labels: Sequence[str], verdict: dict[str, Any], **fields: Any) -> dict[str, Any]:
    n = len(labels)
    rows = [make_row(k, label, 0.4 - 0.8 * k / max(n - 1, 1)) for k, label in enumerate(labels)]
    for name, value in {"p_best": verdict["p_best"], "group": "leader"}.items():
        if rows:
            rows[0][name] = value
    each = [[0 if i == j else (9 if i < j else 5) for j in range(n)] for i in range(n)]
    return {
        "round": "v1", "votes": 3012, "voters": 64, "prompts": 96, "k_eff_voters": 21.3, "k_eff_prompts": 88.0,
        "votes_ja": 1707, "votes_en": 1305, "one_voter": False, "islands": 1, "rows": rows, "wins": each,
        "draws": [[0 if i == j else 4 for j in range(n)] for i in range(n)],
        "win_rate": [[None if i == j else (11 / 18 if i < j else 7 / 18) for j in range(n)] for i in range(n)],
        "p_beats": [[None if i == j else 0.5 for j in range(n)] for i in range(n)],
        "verdict": verdict, "looks": [], "tie_rate": 0.23, "tie_p_value": 0.4, "tie_rules": ["half_wins"],
        "left_share": 0.502, "both_bad_share": 0.03, "skips": 40, "cannot_judge": 12, "reports": 1,
        "settings": {}, "fit_seconds": 0.2, **fields,
    }  # fmt: skip


def no_votes(n: int = 12) -> dict[str, Any]:
    body = make_body([f"candidate {k}" for k in range(n)], make_verdict("no_votes"))
    for row in body["rows"]:
        row |= {"theta": 0.0, "elo": 0.0, "elo_low": 0.0, "elo_high": 0.0, "p_best": None, "votes": 0,
                "wins": 0, "draws": 0, "losses": 0, "both_bad": 0, "group": "not_distinguishable"}  # fmt: skip
    none = [[0] * n for _ in range(n)]
    return body | {
        "votes": 0, "voters": 0, "prompts": 0, "k_eff_voters": 0.0, "k_eff_prompts": 0.0, "votes_ja": 0,
        "votes_en": 0, "wins": none, "draws": none, "win_rate": [[None] * n for _ in range(n)], "looks": [],
        "tie_rate": None, "tie_p_value": None, "left_share": None, "both_bad_share": None, "islands": n,
        "skips": 0, "cannot_judge": 0, "reports": 0,
    }  # fmt: skip


def one_voter(n: int = 3) -> dict[str, Any]:
    verdict = make_verdict("more_voters", leader="candidate 0", second="candidate 1", limits="voters")
    body = make_body([f"candidate {k}" for k in range(n)], verdict)
    for row in body["rows"]:
        row |= {
            "p_best": None,
            "p_top3": None,
            "p_beaten_by_leader": None,
            "rank_low": None,
            "rank_high": None,
        }
    return body | {
        "votes": 20, "voters": 1, "k_eff_voters": 1.0, "one_voter": True, "votes_ja": 10, "votes_en": 10,
        "prompts": 12, "k_eff_prompts": 11.2, "tie_p_value": None,
    }  # fmt: skip


def leading(
    labels: Sequence[str], state: str = "leads", p_best: float = 0.97, **fields: Any
) -> dict[str, Any]:
    second = labels[1] if len(labels) > 1 else None
    verdict = make_verdict(
        state, leader=labels[0], second=second, p_best=p_best, p_beats_second=0.99, lead_elo=34.0, **fields
    )
    looks = [
        {
            "votes": 120 * k,
            "leader": labels[0] if k > 8 else (second or labels[0]),
            "p_best": min(0.2 + 0.035 * k, p_best),
        }
        for k in range(1, 26)
    ]
    return make_body(labels, verdict, looks=looks)


def undecided(labels: Sequence[str], limits: str = "votes") -> dict[str, Any]:
    body = leading(
        labels, "no_separable_winner", 0.84, limits=limits, votes_needed_low=430, votes_needed_high=2150
    )
    for row in body["rows"][1:4]:
        row |= {"group": "not_distinguishable", "p_best": 0.05, "p_beaten_by_leader": 0.9}
    return body
