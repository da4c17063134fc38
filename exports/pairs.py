"""From votes to pairs: the votes on one pair of responses become one judgement."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exports.queries import Ballot


@dataclass(frozen=True)
class Pair:
    """All votes on two responses to one prompt, seen from `low` (the response with the lower id).

    `ties` holds the ties that were not "both bad"; `both_bad` is counted by itself. `agreement` is the share of the
    votes that say what most say (win, loss, or neither); `share` is the half-win share of `low`.
    """

    prompt_id: int
    low: int
    high: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    n_voters: int
    propensity: float

    @property
    def votes(self) -> int:
        return self.wins + self.losses + self.ties + self.both_bad

    @property
    def share(self) -> float:
        return (self.wins + 0.5 * (self.ties + self.both_bad)) / self.votes

    @property
    def agreement(self) -> float:
        return max(self.wins, self.losses, self.ties + self.both_bad) / self.votes

    @property
    def chosen(self) -> int | None:
        """The response that more votes prefer; None where they balance."""
        if self.wins == self.losses:
            return None
        return self.low if self.wins > self.losses else self.high

    @property
    def rejected(self) -> int | None:
        return None if self.chosen is None else self.low + self.high - self.chosen


def merge(ballots: Iterable[Ballot]) -> Iterator[Pair]:
    """One `Pair` for each pair of responses; `ballots` come sorted by (prompt, low, high)."""
    for (prompt_id, low, high), group in itertools.groupby(ballots, key=lambda ballot: ballot[:3]):
        votes = list(group)
        yield Pair(
            prompt_id=prompt_id,
            low=low,
            high=high,
            wins=sum(vote.result > 0 for vote in votes),
            losses=sum(vote.result < 0 for vote in votes),
            ties=sum(vote.result == 0 and not vote.both_bad for vote in votes),
            both_bad=sum(vote.both_bad for vote in votes),
            n_voters=len({vote.voter_id for vote in votes}),
            propensity=sum(vote.propensity for vote in votes) / len(votes),
        )
