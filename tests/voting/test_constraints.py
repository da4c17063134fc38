"""Every rule that the database holds is tried to be broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from generation.models import Candidate, Prompt, Response
from tests import factories
from voting.models import (
    BallotQueue,
    Comparison,
    PairPolicy,
    Report,
    Round,
    RoundCandidate,
    RoundPromptSet,
    Twin,
    Vote,
    Voter,
)  # fmt: skip

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def comparison(arena: Round, voter: Voter) -> Comparison:
    return factories.make_comparison(arena, voter, Prompt.objects.order_by("id")[0], 0, 1)


def again(comparison: Comparison, **fields: Any) -> Comparison:
    """The same comparison once more, on another pair, but for `fields`."""
    values = {
        field.attname: getattr(comparison, field.attname)
        for field in Comparison._meta.concrete_fields
        if field.name not in ("id", "token")
    }
    return Comparison.objects.create(**{**values, "lo": 1, "hi": 2, **fields})


BROKEN: dict[str, Callable[[Comparison], object]] = {
    "round_kind": lambda c: Round.objects.update(kind="x"),
    "round_purpose": lambda c: Round.objects.update(purpose="x"),
    "round_state": lambda c: Round.objects.update(state="x"),
    "round_goal": lambda c: Round.objects.update(goal="x"),
    "round_floor": lambda c: Round.objects.update(floor=1.1),
    "round_weight": lambda c: Round.objects.update(weight=-1),
    "round_opened": lambda c: Round.objects.update(opened_at=None),
    "round_closed": lambda c: Round.objects.update(state="closed"),
    "round_slug": lambda c: Round.objects.create(slug=c.round.slug),
    "roundcandidate_once": lambda c: RoundCandidate.objects.create(
        round=c.round, candidate=Candidate.objects.order_by("id")[0], position=9
    ),
    "roundcandidate_position": lambda c: RoundCandidate.objects.create(
        round=c.round, candidate=factories.make_candidate(), position=0
    ),
    "roundpromptset_once": lambda c: RoundPromptSet.objects.create(round=c.round, set=c.prompt.set),
    "roundpromptset_part": lambda c: RoundPromptSet.objects.update(part="x"),
    "twin_ordered": lambda c: Twin.objects.create(
        prompt=c.prompt, low_response=c.right_response, high_response=c.left_response, ratio=1
    ),
    "twin_once": lambda c: [
        Twin.objects.create(
            prompt=c.prompt, low_response=c.left_response, high_response=c.right_response, ratio=1
        )
        for _ in range(2)
    ],
    "voter_group": lambda c: Voter.objects.update(group="x"),
    "voter_not_itself": lambda c: Voter.objects.filter(pk=c.voter_id).update(merged_into=c.voter),
    "voter_key_digest": lambda c: factories.make_voter(key_digest=c.voter.key_digest),
    "comparison_two_responses": lambda c: again(c, right_response_id=c.left_response_id),
    "comparison_order": lambda c: again(c, lo=2, hi=1),
    "comparison_order ": lambda c: again(c, kind="gold"),
    "comparison_repeat": lambda c: again(c, kind="repeat"),
    "comparison_repeat ": lambda c: again(c, repeat_of_id=c.pk),
    "comparison_repeat_once": lambda c: [
        again(c, kind="repeat", repeat_of_id=c.pk, lo=0, hi=1) for _ in range(2)
    ],
    "comparison_ended": lambda c: again(c, state="voted"),
    "comparison_ended ": lambda c: again(c, ended_at=NOW),
    "comparison_state": lambda c: again(c, state="x", ended_at=NOW),
    "comparison_kind": lambda c: again(c, kind="x"),
    "comparison_propensity": lambda c: again(c, propensity=0),
    "comparison_propensity ": lambda c: again(c, propensity=1.01),
    "comparison_shown_once": lambda c: again(c, lo=0, hi=1),
    "comparison_token": lambda c: again(c, token=c.token),
    "vote_one_live": lambda c: [factories.cast_directly(c, "left") for _ in range(2)],
    "vote_outcome": lambda c: factories.cast_directly(c, "best"),
    "report_comparison_id": lambda c: [Report.objects.create(comparison=c) for _ in range(2)],
    "ballotqueue_kind": lambda c: BallotQueue.objects.create(round_id=1, voter_id=1, kind="x"),
    "pairpolicy_pkey": lambda c: [
        PairPolicy.objects.create(
            round=c.round, theta=b"", cov=b"", shown=b"", prompt_ids=b"", prompt_votes=b"", df=1, votes=0
        )
        for _ in range(2)
    ],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_must_not_be_is_refused(comparison: Comparison, name: str) -> None:
    with pytest.raises(Error, match=f"voting_{name.strip()}"), transaction.atomic():
        BROKEN[name](comparison)


def test_every_constraint_of_these_tables_was_tried() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conname FROM pg_constraint WHERE conrelid::regclass::text LIKE 'voting_%' AND contype = 'c'
             UNION SELECT indexname FROM pg_indexes
             WHERE tablename LIKE 'voting_%' AND indexdef LIKE 'CREATE UNIQUE%' AND indexname NOT LIKE '%_pkey'
            """
        )
        # Django's own: a positive integer is positive.
        there = {name for (name,) in cursor.fetchall() if not name.endswith("_check")}
    tried = tuple(f"voting_{name.strip()}" for name in BROKEN)
    assert {name for name in there if not name.startswith(tried)} == set()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE voting_vote SET outcome = 'right'", "never change"),
        ("UPDATE voting_vote SET cast_at = now() - interval '1 day'", "never change"),
        ("UPDATE voting_vote SET comparison_id = comparison_id + 1", "never change"),
        ("DELETE FROM voting_vote", "never deleted"),
        ("UPDATE voting_vote SET undone_at = NULL WHERE undone_at IS NOT NULL", "undone once"),
    ],
)
def test_the_trigger_guards_what_a_vote_says(comparison: Comparison, sql: str, message: str) -> None:
    factories.cast_directly(comparison, "left")
    if "undone_at" in sql:
        Vote.objects.update(undone_at=NOW)
    with pytest.raises(Error, match=message), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_reasons_comment_and_undoing_pass_the_trigger(comparison: Comparison) -> None:
    factories.cast_directly(comparison, "left")
    assert Vote.objects.update(reasons=["tone"], comment="yes") == 1
    assert Vote.objects.update(undone_at=NOW) == 1


def test_what_a_comparison_shows_is_not_deleted(comparison: Comparison) -> None:
    with pytest.raises(Error), transaction.atomic():
        Response.objects.filter(pk=comparison.left_response_id)._raw_delete("default")
        connection.check_constraints()
