"""Every rule that the database holds for the derived tables is tried to be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from generation.models import Prompt
from ranking.models import Figures, Look, PromptTally, RoundVoter, VoterTally
from voting.models import Round, Voter


def voter_tally(arena: Round, voter: Voter, **fields: int) -> object:
    return VoterTally.objects.create(round=arena, voter=voter, language="en", lo=0, hi=1, **fields)


def prompt_tally(arena: Round, voter: Voter, **fields: int) -> object:
    prompt = Prompt.objects.order_by("id")[0]
    return PromptTally.objects.create(
        round=arena, prompt=prompt, insider=False, lo=0, hi=1, lo_is_left=True, **fields
    )


def round_voter(arena: Round, voter: Voter, **fields: int) -> object:
    return RoundVoter.objects.create(round=arena, voter=voter, dwell_bins=[0] * 12, **fields)


def figures(arena: Round, voter: Voter, level: str = "candidate") -> object:
    return Figures.objects.create(round=arena, level=level, slice="all", body={}, votes=0)


def look(arena: Round, voter: Voter, p_best: float = 0.5) -> object:
    return Look.objects.create(
        round=arena, level="candidate", votes=40, leader=0, p_best=p_best, policy_version=1
    )


Make = Callable[..., object]
MAKERS: list[Make] = [voter_tally, prompt_tally, round_voter, figures, look]
COUNTS = [
    *((voter_tally, name) for name in ("lo_wins", "hi_wins", "ties", "both_bad")),
    *(
        (prompt_tally, name)
        for name in ("lo_wins", "hi_wins", "ties", "both_bad", "skips", "cannot_judge", "reports")
    ),
    *(
        (round_voter, name)
        for name in (
            "left", "right", "ties", "both_bad", "skips", "fast_ties", "repeats", "repeats_agreed", "gold",
            "gold_hit",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
def test_a_key_stands_once(make: Make, arena: Round, voter: Voter) -> None:
    make(arena, voter)
    with pytest.raises(IntegrityError, match="_key"), transaction.atomic():
        make(arena, voter)


@pytest.mark.parametrize(("make", "count"), COUNTS)
def test_no_count_goes_below_zero(make: Make, count: str, arena: Round, voter: Voter) -> None:
    make(arena, voter, **{count: 0})
    with pytest.raises(IntegrityError, match="not_negative"), transaction.atomic():
        make(arena, voter, **{count: -1})


def test_figures_are_of_a_known_level(arena: Round, voter: Voter) -> None:
    with pytest.raises(IntegrityError, match="_level"), transaction.atomic():
        figures(arena, voter, level="prompt")


@pytest.mark.parametrize("p_best", [-0.01, 1.01])
def test_a_probability_is_one(p_best: float, arena: Round, voter: Voter) -> None:
    with pytest.raises(IntegrityError, match="_p_best"), transaction.atomic():
        look(arena, voter, p_best=p_best)
