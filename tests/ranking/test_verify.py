"""`manage.py verify`: a planted error in any of the sums is found, named and mended."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from ranking import checks, folding
from ranking.models import PromptTally, RoundVoter, VoterTally
from tests import factories
from voting.models import BallotQueue, Comparison, Round, Vote, Voter

TABLES = [(VoterTally, "lo_wins"), (PromptTally, "skips"), (RoundVoter, "fast_ties")]


@pytest.fixture
def voted(arena: Round, voter: Voter) -> Round:
    outcomes = ["left", "right", "tie", "both_bad"]
    factories.cast_many(arena, voter, lambda shown: outcomes[shown.pk % 4])
    folding.fold(round=arena)
    return arena


def test_sums_that_agree_are_clean(voted: Round) -> None:
    assert checks.verify() == []


@pytest.mark.parametrize(("table", "column"), TABLES)
def test_a_planted_error_is_found_and_mended(voted: Round, table: Any, column: str) -> None:
    planted = table.objects.order_by("id").first()
    table.objects.filter(pk=planted.pk).update(**{column: F(column) + 1})
    found = checks.verify()
    assert len(found) == 1 and voted.slug in str(found[0])
    assert len(checks.verify()) == 1, "looking must not mend"
    assert len(checks.verify(repair=True)) == 1
    assert checks.verify() == []


@pytest.mark.parametrize("table", [VoterTally, PromptTally, RoundVoter])
def test_a_missing_row_is_found_and_mended(voted: Round, table: Any) -> None:
    table.objects.order_by("id").first().delete()
    assert len(checks.verify()) == 1
    checks.verify(repair=True)
    assert checks.verify() == []


def test_a_row_of_nobodys_vote_is_found(voted: Round, other_voter: Voter) -> None:
    VoterTally.objects.create(round=voted, voter=other_voter, language="en", lo=0, hi=1, ties=1)
    assert len(checks.verify()) == 1
    checks.verify(repair=True)
    assert not VoterTally.objects.filter(voter=other_voter, ties__gt=0).exists()


def test_ballots_that_still_wait_are_no_error(arena: Round, voter: Voter) -> None:
    factories.cast_many(arena, voter, lambda _: "left", limit=5)
    assert checks.verify() == []


def test_the_command_fails_on_an_error_and_repairs_it(
    voted: Round, capsys: pytest.CaptureFixture[str]
) -> None:
    VoterTally.objects.update(ties=F("ties") + 7)
    with pytest.raises(CommandError, match="--repair"):
        call_command("verify")
    call_command("verify", "--repair")
    call_command("verify")
    assert "Clean" in capsys.readouterr().out


def test_a_queue_that_cannot_be_folded_is_found_and_mended(voted: Round) -> None:
    """Sums that were tampered with can stop an undo at their CHECK; nothing stays stuck."""
    vote = Vote.objects.filter(outcome="tie").select_related("comparison").first()
    VoterTally.objects.update(ties=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE voting_vote SET undone_at = now() WHERE id = %s", [vote.pk])
    Comparison.objects.filter(pk=vote.comparison_id).update(state="open", ended_at=None)
    BallotQueue.objects.create(
        round_id=voted.pk, voter_id=vote.comparison.voter_id, comparison_id=vote.comparison_id, vote_id=vote.pk,
        kind="undo",
    )  # fmt: skip
    assert any("below zero" in str(finding) for finding in checks.verify())
    assert checks.verify(repair=True)
    assert checks.verify() == [] and not BallotQueue.objects.exists()
