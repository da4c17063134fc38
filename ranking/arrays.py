"""The sums of a round as numpy arrays, read once for a refresh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from ranking.stats.btl import Tallies
from voting.models import Round

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Sums:
    """VoterTally and PromptTally of one round, row by row; columns of counts are int64[rows, k].

    voter_counts : lo_wins, hi_wins, ties, both_bad.      prompt_counts : the same, then skips, cannot_judge, reports.
    """

    voter: Ints  # those joined by merged_into share a number
    voter_japanese: Bools
    voter_insider: Bools
    voter_lo: Ints
    voter_hi: Ints
    voter_counts: Ints
    prompt: Ints
    prompt_japanese: Bools
    prompt_insider: Bools
    prompt_lo: Ints
    prompt_hi: Ints
    lo_is_left: Bools
    prompt_counts: Ints

    @property
    def votes(self) -> int:
        return int(self.voter_counts.sum())

    def by_voter(self, rows: Bools) -> Tallies:
        return _tallies(self.voter[rows], self.voter_lo[rows], self.voter_hi[rows], self.voter_counts[rows])

    def by_prompt(self, rows: Bools) -> Tallies:
        """Rows with skips only hold no vote and are left out: they would count as clusters."""
        rows = rows & (self.prompt_counts[:, :4].sum(axis=1) > 0)
        return _tallies(
            self.prompt[rows], self.prompt_lo[rows], self.prompt_hi[rows], self.prompt_counts[rows]
        )

    def chosen(self, slice_: str) -> tuple[Bools, Bools]:
        """Which rows (by voter, by prompt) belong to a slice: all, ja or en, and `-without_insiders` behind it."""
        language, _, without = slice_.partition("-")
        voter, prompt = np.ones(len(self.voter), bool), np.ones(len(self.prompt), bool)
        if language != "all":
            voter, prompt = (
                self.voter_japanese == (language == "ja"),
                self.prompt_japanese == (language == "ja"),
            )
        if without:
            voter, prompt = voter & ~self.voter_insider, prompt & ~self.prompt_insider
        return voter & (self.voter_counts.sum(axis=1) > 0), prompt


def _tallies(cluster: Ints, lo: Ints, hi: Ints, counts: Ints) -> Tallies:
    values = counts.astype(np.float64)
    return Tallies(cluster, lo, hi, values[:, 0], values[:, 1], values[:, 2] + values[:, 3])


_VOTERS = """
SELECT coalesce(w.merged_into_id, w.id), (t.language = 'ja')::int, (w."group" = 'insider')::int, t.lo, t.hi,
       t.lo_wins, t.hi_wins, t.ties, t.both_bad
  FROM ranking_votertally t JOIN voting_voter w ON w.id = t.voter_id WHERE t.round_id = %s
"""
_PROMPTS = """
SELECT t.prompt_id, (p.language = 'ja')::int, t.insider::int, t.lo, t.hi, t.lo_is_left::int,
       t.lo_wins, t.hi_wins, t.ties, t.both_bad, t.skips, t.cannot_judge, t.reports
  FROM ranking_prompttally t JOIN generation_prompt p ON p.id = t.prompt_id WHERE t.round_id = %s
"""


def read(round_: Round) -> Sums:
    """The caller holds the round's lock (folding.lock), so that both tables hold the same votes."""
    v, p = _matrix(_VOTERS, round_, 9), _matrix(_PROMPTS, round_, 13)
    return Sums(
        v[:, 0], v[:, 1] > 0, v[:, 2] > 0, v[:, 3], v[:, 4], v[:, 5:],
        p[:, 0], p[:, 1] > 0, p[:, 2] > 0, p[:, 3], p[:, 4], p[:, 5] > 0, p[:, 6:],
    )  # fmt: skip


def _matrix(sql: str, round_: Round, columns: int) -> Ints:
    with connection.cursor() as cursor:
        cursor.execute(sql, [round_.pk])
        return np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, columns)
