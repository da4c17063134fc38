"""Sums of queued ballots: each ballot once, whatever comes twice, at once, or in a later batch."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from generation.models import Prompt
from ranking import checks, folding, voters
from ranking.models import PromptTally, RoundVoter, VoterTally
from tests import factories
from voting.models import BallotQueue, Comparison, Round, Vote, Voter

OUTCOMES = ["left", "right", "tie", "both_bad"]


def asked(arena: Round) -> list[Prompt]:
    return list(Prompt.objects.filter(set__roundpromptset__round=arena).order_by("id"))


def cast(
    arena: Round,
    voter: Voter,
    outcome: str = "left",
    *,
    prompt: int = 0,
    pair: tuple[int, int] = (0, 1),
    **more: Any,
) -> Comparison:
    shown = factories.make_comparison(arena, voter, asked(arena)[prompt], *pair, **more)
    factories.cast_directly(shown, outcome)
    return shown


def undo(shown: Comparison) -> None:
    """As `voting.ballots.undo` leaves it."""
    vote = Vote.objects.get(comparison=shown, undone_at=None)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE voting_vote SET undone_at = now() WHERE id = %s", [vote.pk])
    Comparison.objects.filter(pk=shown.pk).update(state="open", ended_at=None)
    queue(shown, "undo", vote.pk)


def put_aside(shown: Comparison, kind: str) -> None:
    states = {"skip": "skipped", "cannot_judge": "cannot_judge", "report": "reported"}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE voting_comparison SET state = %s, ended_at = now() WHERE id = %s",
            [states[kind], shown.pk],
        )
    queue(shown, kind)


def queue(shown: Comparison, kind: str, vote: int | None = None) -> None:
    BallotQueue.objects.create(
        round_id=shown.round_id, voter_id=shown.voter_id, comparison_id=shown.pk, vote_id=vote, kind=kind
    )


def total(arena: Round) -> int:
    """Votes in the sums; both tables must agree."""
    sums = [
        sum(row.lo_wins + row.hi_wins + row.ties + row.both_bad for row in table.objects.filter(round=arena))
        for table in (VoterTally, PromptTally)
    ]
    assert sums[0] == sums[1]
    return sums[0]


# What one ballot adds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "lo_is_left", "column", "side"),
    [
        ("left", True, "lo_wins", "left"),
        ("left", False, "hi_wins", "left"),
        ("right", True, "hi_wins", "right"),
        ("right", False, "lo_wins", "right"),
        ("tie", True, "ties", "ties"),
        ("both_bad", False, "both_bad", "both_bad"),
    ],
)
def test_a_vote_counts_for_the_candidate_and_for_the_side(
    arena: Round, voter: Voter, outcome: str, lo_is_left: bool, column: str, side: str
) -> None:
    shown = cast(arena, voter, outcome, pair=(1, 2), lo_is_left=lo_is_left)
    assert folding.fold(round=arena).ballots == 1

    by_voter, by_prompt = VoterTally.objects.get(), PromptTally.objects.get()
    assert (by_voter.voter_id, by_voter.language, by_voter.lo, by_voter.hi) == (
        voter.pk,
        shown.prompt.language,
        1,
        2,
    )
    assert (by_prompt.prompt_id, by_prompt.insider, by_prompt.lo_is_left) == (
        shown.prompt_id,
        False,
        lo_is_left,
    )
    for row in (by_voter, by_prompt):
        assert {name: getattr(row, name) for name in ("lo_wins", "hi_wins", "ties", "both_bad")} == {
            "lo_wins": 0, "hi_wins": 0, "ties": 0, "both_bad": 0, column: 1,
        }  # fmt: skip
    assert getattr(RoundVoter.objects.get(), side) == 1


@pytest.mark.parametrize(
    ("kind", "column"), [("skip", "skips"), ("cannot_judge", "cannot_judge"), ("report", "reports")]
)
def test_what_was_put_aside_is_counted_apart_from_the_votes(
    arena: Round, voter: Voter, kind: str, column: str
) -> None:
    put_aside(factories.make_comparison(arena, voter, asked(arena)[0], 0, 1), kind)
    folding.fold(round=arena)
    assert getattr(PromptTally.objects.get(), column) == 1
    assert total(arena) == 0 and not VoterTally.objects.exists()


def test_insiders_are_kept_apart(arena: Round, voter: Voter) -> None:
    cast(arena, voter)
    cast(arena, factories.make_voter(group="insider"))
    folding.fold(round=arena)
    assert sorted(PromptTally.objects.values_list("insider", "lo_wins")) == [(False, 1), (True, 1)]


def test_another_rounds_ballots_wait(arena: Round, voter: Voter) -> None:
    other = factories.make_arena()
    cast(arena, voter)
    cast(other, voter)
    folding.fold(round=arena)
    assert total(arena) == 1 and total(other) == 0
    assert BallotQueue.objects.get().round_id == other.pk


def test_the_touched_keys_are_returned(arena: Round, voter: Voter, other_voter: Voter) -> None:
    cast(arena, voter)
    folding.fold(round=arena)
    cast(arena, other_voter)
    result = folding.fold(round=arena)
    assert {key[0] for key in result.voter_keys} == {other_voter.pk}
    assert len(result.prompt_keys) == 1


# Once ---------------------------------------------------------------------------------------------


def test_folding_again_changes_nothing(arena: Round, voter: Voter) -> None:
    factories.cast_many(arena, voter, lambda _: "left")
    before = folding.fold(round=arena).ballots
    assert before == total(arena) == 24
    assert folding.fold(round=arena).ballots == 0
    assert total(arena) == before


def test_more_than_one_batch(arena: Round, voter: Voter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "AT_ONCE", 5)
    factories.cast_many(arena, voter, lambda _: "tie")
    assert folding.fold(round=arena).ballots == 24
    assert total(arena) == 24 and not BallotQueue.objects.exists()


def test_a_fold_that_fails_leaves_its_ballots_queued(
    arena: Round, voter: Voter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast(arena, voter)
    monkeypatch.setattr(folding, "_HABITS", None)  # the last of the three tables
    with pytest.raises(AttributeError), transaction.atomic():
        folding.fold(round=arena)
    assert total(arena) == 0 and BallotQueue.objects.count() == 1
    monkeypatch.undo()
    folding.fold(round=arena)
    assert total(arena) == 1 and not BallotQueue.objects.exists()


@contextmanager
def in_threads(*work: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Run all at once, each on a connection of its own; the errors that came of it."""
    errors: list[BaseException] = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[one]) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    yield errors


def read_then_delete(cursor: Any, round_id: int) -> list[Any]:
    """The control: what folding does, but for deleting what it reads in the same statement."""
    columns = "q.id, q.voter_id, q.kind, q.comparison_id, q.vote_id"
    reads = folding._TAKE.replace(
        "DELETE FROM voting_ballotqueue q", f"SELECT {columns} FROM voting_ballotqueue q"
    )
    cursor.execute(reads.replace(f"RETURNING {columns}", ""), {"round": round_id, "most": folding.AT_ONCE})
    taken = [folding._taken(*row) for row in cursor.fetchall()]
    time.sleep(0.7)
    cursor.execute("DELETE FROM voting_ballotqueue WHERE round_id = %s", [round_id])
    return taken


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deletes", [False, True], ids=["control: read, then delete", "delete returning"])
def test_a_ballot_is_counted_once_because_its_row_is_deleted_once(
    deletes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lock, too. In the control the race must happen, or the test would prove nothing."""
    arena = factories.make_arena()
    factories.cast_many(arena, factories.make_voter(), lambda _: "left")
    monkeypatch.setattr(folding, "lock", lambda cursor, round_id: None)
    if not deletes:
        monkeypatch.setattr(folding, "_take", read_then_delete)
    with in_threads(*[lambda: folding.fold(round=arena) and None] * 2) as errors:
        assert errors == []
    assert total(arena) == (24 if deletes else 48)


@pytest.mark.django_db(transaction=True)
def test_a_fold_waits_for_the_one_before_it() -> None:
    arena, began, waited = factories.make_arena(), threading.Event(), []

    def first() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            folding.lock(cursor, arena.pk)
            began.set()
            time.sleep(0.6)

    def second() -> None:
        began.wait(10)
        since = time.monotonic()
        folding.fold(round=arena)
        waited.append(time.monotonic() - since)

    with in_threads(first, second) as errors:
        assert errors == []
    assert waited[0] > 0.3


@pytest.mark.django_db(transaction=True)
def test_many_folds_at_once_count_each_ballot_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "AT_ONCE", 7)
    arena = factories.make_arena()
    for _ in range(3):
        factories.cast_many(arena, factories.make_voter(), lambda _: "left")
    with in_threads(*[lambda: folding.fold(round=arena) and None] * 4) as errors:
        assert errors == []
    assert total(arena) == 72 and not BallotQueue.objects.exists()
    assert checks.verify() == []


# Undo, exclude, readmit ---------------------------------------------------------------------------


@pytest.mark.parametrize("fold_between", [False, True])
def test_an_undone_vote_is_taken_out_again(arena: Round, voter: Voter, fold_between: bool) -> None:
    shown = cast(arena, voter, "left")
    if fold_between:
        folding.fold(round=arena)
    undo(shown)
    factories.cast_directly(shown, "right")
    folding.fold(round=arena)
    assert list(VoterTally.objects.values_list("lo_wins", "hi_wins")) == [(0, 1)]
    assert checks.verify() == []


def test_excluding_takes_out_what_was_counted_and_what_waits(
    arena: Round, voter: Voter, other_voter: Voter
) -> None:
    cast(arena, voter, prompt=0)
    cast(arena, other_voter, prompt=0)
    folding.fold(round=arena)
    cast(arena, voter, prompt=1)
    put_aside(factories.make_comparison(arena, voter, asked(arena)[2], 0, 1), "skip")
    assert voters.exclude(voter=voter)
    folding.fold(round=arena)
    assert total(arena) == 1
    assert sum(PromptTally.objects.values_list("skips", flat=True)) == 0
    assert checks.verify() == []

    cast(arena, voter, prompt=3)  # they do not know, and vote on
    folding.fold(round=arena)
    assert total(arena) == 1

    assert voters.readmit(voter=voter)
    folding.fold(round=arena)
    assert total(arena) == 4
    assert sum(PromptTally.objects.values_list("skips", flat=True)) == 1
    assert checks.verify() == []


def test_excluding_and_readmitting_twice_is_once(arena: Round, voter: Voter) -> None:
    cast(arena, voter)
    assert voters.exclude(voter=voter) and not voters.exclude(voter=voter)
    assert BallotQueue.objects.filter(kind="exclude").count() == 1
    assert voters.readmit(voter=voter) and not voters.readmit(voter=voter)
    folding.fold(round=arena)
    assert total(arena) == 1


def test_excluding_reaches_every_round(voter: Voter) -> None:
    arenas = [factories.make_arena() for _ in range(2)]
    for arena in arenas:
        cast(arena, voter)
        folding.fold(round=arena)
    voters.exclude(voter=voter)
    for arena in arenas:
        folding.fold(round=arena)
        assert total(arena) == 0


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_ballots_folds_and_exclusions_equals_the_recount(
    seed: int, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    """Random walks over everything that can happen, in batches of any size."""
    rng = random.Random(seed)
    arena, people = (
        factories.make_arena(),
        [factories.make_voter(group=g) for g in ("public", "invited", "insider")],
    )
    left = [(v, p, pair) for v in people for p in asked(arena) for pair in combinations(range(3), 2)]
    rng.shuffle(left)
    standing: dict[int, list[Comparison]] = {v.pk: [] for v in people}

    def vote() -> None:
        who, prompt, pair = left.pop()
        shown = factories.make_comparison(arena, who, prompt, *pair, lo_is_left=rng.random() < 0.5)
        if rng.random() < 0.2:
            put_aside(shown, rng.choice(["skip", "cannot_judge", "report"]))
        else:
            factories.cast_directly(shown, rng.choice(OUTCOMES))
            standing[who.pk].append(shown)

    def take_back() -> None:
        mine = standing[rng.choice(people).pk]
        if mine:
            shown = mine.pop()
            undo(shown)
            if rng.random() < 0.7:
                factories.cast_directly(shown, rng.choice(OUTCOMES))
                mine.append(shown)

    def fold() -> None:
        monkeypatch.setattr(folding, "AT_ONCE", rng.choice([1, 3, 5000]))
        folding.fold(round=arena)

    actions = [vote] * 6 + [take_back] * 2 + [fold] + [
        lambda: voters.exclude(voter=rng.choice(people)),
        lambda: voters.readmit(voter=rng.choice(people)),
    ]  # fmt: skip
    for _ in range(90):
        rng.choice(actions)() if left else fold()
    folding.fold(round=arena)
    assert not BallotQueue.objects.exists()
    assert [str(finding) for finding in checks.verify()] == []
    live = Vote.objects.filter(undone_at=None, comparison__voter__excluded_at=None).count()
    assert total(arena) == live


# The database's own guard -------------------------------------------------------------------------


@pytest.mark.parametrize("table", [VoterTally, PromptTally, RoundVoter])
def test_no_sum_goes_below_zero(arena: Round, voter: Voter, table: Any) -> None:
    cast(arena, voter)
    folding.fold(round=arena)
    with pytest.raises(IntegrityError, match="not_negative"), transaction.atomic():
        table.objects.update(ties=-1)


@pytest.mark.parametrize("table", [VoterTally, PromptTally, RoundVoter])
def test_a_key_stands_once(arena: Round, voter: Voter, table: Any) -> None:
    cast(arena, voter)
    folding.fold(round=arena)
    row = table.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="_key"), transaction.atomic():
        row.save(force_insert=True)
