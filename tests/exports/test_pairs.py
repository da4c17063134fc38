from __future__ import annotations

import pytest

from exports.pairs import merge
from exports.queries import Ballot


def ballot(
    result: int, *, both_bad: bool = False, voter: int = 1, low: int = 10, propensity: float = 0.5
) -> Ballot:
    return Ballot(1, low, 20, result, both_bad, voter, propensity)


def test_the_votes_on_one_pair_become_one_judgement() -> None:
    (pair,) = merge([ballot(1), ballot(1, voter=2), ballot(-1, voter=3), ballot(0), ballot(0, both_bad=True)])
    assert (pair.wins, pair.losses, pair.ties, pair.both_bad, pair.n_voters) == (2, 1, 1, 1, 3)
    assert pair.chosen == 10 and pair.rejected == 20


def test_pairs_are_kept_apart() -> None:
    assert [pair.low for pair in merge([ballot(1), ballot(1, low=11)])] == [10, 11]


def test_a_balance_chooses_nobody() -> None:
    (pair,) = merge([ballot(1), ballot(-1)])
    assert pair.chosen is None and pair.rejected is None


def test_a_tie_counts_half_and_leaves_the_decision_to_the_others() -> None:
    (pair,) = merge([ballot(-1), ballot(0), ballot(0, both_bad=True)])
    assert pair.chosen == 20
    assert pair.share == pytest.approx(1 / 3)
    assert pair.agreement == pytest.approx(2 / 3)
