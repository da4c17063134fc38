"""What one ballot adds to the sums: the one definition that fold, recount and exclusion share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FAST_MS = 3000  # a tie given in less time than it takes to read one line
BINS = 12  # of dwell: below 0.5 s, then doubling


class Ballot(NamedTuple):
    """One ended comparison. `outcome` is a vote's, or skip, cannot_judge, report."""

    voter: int
    language: str
    prompt: int
    insider: bool
    lo: int
    hi: int
    lo_is_left: bool
    outcome: str
    dwell_ms: int | None


VOTER_COUNTS = ("lo_wins", "hi_wins", "ties", "both_bad")
PROMPT_COUNTS = (*VOTER_COUNTS, "skips", "cannot_judge", "reports")
HABIT_COUNTS = ("left", "right", "ties", "both_bad", "skips", "fast_ties")
_ENDED = {"skip": "skips", "cannot_judge": "cannot_judge", "report": "reports"}


@dataclass
class Deltas:
    """Changes of the three tables, by key and column; zero changes may be in it."""

    voters: Counter[tuple[tuple[Any, ...], str]] = field(default_factory=Counter)
    prompts: Counter[tuple[tuple[Any, ...], str]] = field(default_factory=Counter)
    habits: Counter[tuple[tuple[Any, ...], str]] = field(default_factory=Counter)

    def add(self, ballots: Iterable[Ballot], times: int) -> None:
        """Count ballots in (`times` 1) or out (-1)."""
        for ballot in ballots:
            column = counted_as(ballot)
            self.prompts[
                (ballot.prompt, ballot.insider, ballot.lo, ballot.hi, ballot.lo_is_left), column
            ] += times
            if ballot.outcome in _ENDED:
                self.habits[(ballot.voter,), "skips"] += times
                continue
            self.voters[(ballot.voter, ballot.language, ballot.lo, ballot.hi), column] += times
            for habit in habits(ballot):
                self.habits[(ballot.voter,), habit] += times


def counted_as(ballot: Ballot) -> str:
    """The column of VoterTally and PromptTally that this ballot belongs to."""
    if ballot.outcome in _ENDED:
        return _ENDED[ballot.outcome]
    if ballot.outcome in ("tie", "both_bad"):
        return "ties" if ballot.outcome == "tie" else "both_bad"
    return "lo_wins" if (ballot.outcome == "left") == ballot.lo_is_left else "hi_wins"


def habits(ballot: Ballot) -> list[str]:
    """The columns of RoundVoter: side or tie, haste, and the bin of the time taken (`bin1` to `bin12`)."""
    found = ["ties" if ballot.outcome == "tie" else ballot.outcome]
    if ballot.dwell_ms is not None:
        if ballot.outcome in ("tie", "both_bad") and ballot.dwell_ms < FAST_MS:
            found.append("fast_ties")
        found.append(f"bin{1 + dwell_bin(ballot.dwell_ms)}")
    return found


def dwell_bin(dwell_ms: int) -> int:
    return min(BINS - 1, max(0, 1 + math.floor(math.log2(max(dwell_ms, 1) / 500))))
