"""What is ranked: candidates, or their means by checkpoint or by sampler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voting.models import Round, RoundCandidate

LEVELS = ("candidate", "checkpoint", "sampler")


@dataclass(frozen=True)
class Member:
    """One thing that is ranked at a level, and the positions of its candidates."""

    id: int | str
    label: str
    positions: tuple[int, ...]
    retired: bool


@dataclass(frozen=True)
class Level:
    name: str
    members: tuple[Member, ...]
    n: int  # candidates of the round

    @property
    def means(self) -> NDArray[np.float64]:
        """f8[members, n]: A, so that the strengths of the level are A theta."""
        a = np.zeros((len(self.members), self.n))
        for row, member in enumerate(self.members):
            a[row, list(member.positions)] = 1 / len(member.positions)
        return a

    @property
    def sums(self) -> NDArray[np.float64]:
        """f8[members, n]: ones where a candidate belongs to a member."""
        return (self.means > 0).astype(np.float64)


def levels(round_: Round) -> list[Level]:
    rows = list(
        RoundCandidate.objects.filter(round=round_)
        .order_by("position")
        .select_related("candidate", "candidate__checkpoint")
    )
    return [
        Level("candidate", tuple(_alone(row) for row in rows), len(rows)),
        Level("checkpoint", _grouped(rows, "checkpoint"), len(rows)),
        Level("sampler", _grouped(rows, "sampler"), len(rows)),
    ]


def _alone(row: RoundCandidate) -> Member:
    retired = row.retired_at is not None or row.candidate.retired_at is not None
    return Member(row.candidate_id, row.candidate.label, (row.position,), retired)


def _grouped(rows: list[RoundCandidate], by: str) -> tuple[Member, ...]:
    groups: dict[int | str, list[RoundCandidate]] = {}
    for row in rows:
        key: int | str = row.candidate.checkpoint_id if by == "checkpoint" else row.candidate.sampler_key
        groups.setdefault(key, []).append(row)
    return tuple(
        Member(
            key,
            members[0].candidate.checkpoint.name if by == "checkpoint" else sampler_words(members[0]),
            tuple(one.position for one in members),
            all(_alone(one).retired for one in members),
        )
        for key, members in groups.items()
    )


def sampler_words(row: RoundCandidate) -> str:
    """The settings that say which sampler it is, in words."""
    short = {"temperature": "T", "repetition_penalty": "rep"}
    hidden = ("max_new_tokens", "stop", "do_sample")
    shown = [f"{short.get(k, k)} {v:g}" if isinstance(v, int | float) else f"{k} {v}"
             for k, v in sorted(row.candidate.sampler.items()) if k not in hidden]  # fmt: skip
    if row.candidate.sampler.get("do_sample") is False:
        shown = ["greedy", *[one for one in shown if one.startswith("rep")]]
    return ", ".join(shown) or "default sampler"
