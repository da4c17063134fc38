from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from generation.models import Prompt
from tests import factories
from tests.voting.conftest import Browse
from voting import catalogue, rounds
from voting.errors import VotingError
from voting.models import BallotQueue, Comparison, PairPolicy, Round, RoundCandidate, Twin

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def table_of(client: Client) -> str:
    return str(client.get("/compare").context["pair"]["token"])


def expire_all() -> None:
    Comparison.objects.filter(state="open").update(expires_at=timezone.now() - timedelta(days=1))


def test_opening_freezes_weights_and_appends_positions(arena: Round) -> None:
    assert arena.state == "open"
    assert list(RoundCandidate.objects.filter(round=arena).values_list("position", flat=True)) == [0, 1, 2]
    assert sorted(map(int, arena.prompt_weights)) == sorted(Prompt.objects.values_list("id", flat=True))
    assert sum(arena.prompt_weights.values()) == pytest.approx(2)  # one for each language


def test_categories_weigh_the_same_whatever_their_size() -> None:
    prompt_set = factories.make_prompt_set()
    many = [factories.make_prompt(prompt_set, category="writing") for _ in range(3)]
    one = factories.make_prompt(prompt_set, category="maths")
    weights = rounds.weights_of([*many, one])
    assert weights[str(one.pk)] == pytest.approx(0.5)
    assert weights[str(many[0].pk)] == pytest.approx(0.5 / 3)


def test_opening_writes_down_twins() -> None:
    prompt_set, (a, b) = factories.make_prompt_set(), [factories.make_candidate() for _ in range(2)]
    texts = [
        ("Exactly this.", "Exactly  this"),
        ("A long answer " * 9 + "a", "A long answer " * 9 + "b"),
        ("", ""),
    ]
    for left, right in texts:
        prompt = factories.make_prompt(prompt_set)
        factories.make_response(a, prompt, left), factories.make_response(b, prompt, right)
    factories.make_round([a, b], [prompt_set])
    exact, near = Twin.objects.order_by("-ratio")
    assert exact.ratio == 1.0 and 0.95 <= near.ratio < 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": []}, "at least two candidates"),
        ({"prompt_sets": []}, "prompt set"),
        ({"languages": ["ja"]}, "No prompt of"),
        ({"languages": ["tlh"]}, "tlh"),
        ({"goal": "beauty"}, "goal='beauty'"),
        ({"floor": 2.0}, "floor=2.0"),
        ({"colour": "red"}, "colour"),
        ({"slug": "taken"}, "'taken' already"),
    ],
)
def test_a_round_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    prompt_set = factories.make_prompt_set()
    prompt = factories.make_prompt(prompt_set)
    candidates = [factories.make_candidate() for _ in range(2)]
    for one in candidates:
        factories.make_response(one, prompt)
    rounds.open_round(slug="taken", candidates=candidates, prompt_sets=[prompt_set])
    asked = {"slug": "new", "candidates": candidates, "prompt_sets": [prompt_set], **change}
    with pytest.raises(VotingError, match=message):
        rounds.open_round(**asked)
    assert Round.objects.count() == 1


def test_candidates_without_answers_are_named_and_nothing_is_left_behind() -> None:
    prompt_set, prompt = (made := factories.make_prompt_set()), factories.make_prompt(made)
    speaks, silent = factories.make_candidate(), factories.make_candidate("the silent one")
    factories.make_response(speaks, prompt)
    with pytest.raises(VotingError, match="the silent one"):
        factories.make_round([speaks, silent], [prompt_set])
    assert not Round.objects.exists()


def test_closing_waits_for_open_pairs_and_for_the_sums(arena: Round, browse: Browse) -> None:
    client = browse()
    token = table_of(client)
    assert rounds.begin_closing(round=arena)
    assert not rounds.begin_closing(round=arena)
    catalogue.forget()
    assert client.post(f"/vote/{token}", {"vote": "left"}, headers=HTMX).status_code == 200
    assert Comparison.objects.count() == 2, "no new pair is dealt"
    assert rounds.tick().closed == 0
    expire_all()
    assert (rounds.tick().expired, rounds.tick().closed) == (1, 0), "a vote is still to be summed"
    BallotQueue.objects.all().delete()
    assert rounds.tick().closed == 1
    arena.refresh_from_db()
    assert arena.state == "closed" and arena.closed_at
    catalogue.forget()
    assert client.get("/compare").context["reason"] == "none_open"


def test_tick_expires_only_what_is_over(arena: Round, browse: Browse) -> None:
    client = browse()
    table_of(client)
    Comparison.objects.filter(pk=Comparison.objects.order_by("id")[0].pk).update(
        expires_at=timezone.now() - timedelta(days=1)
    )
    assert rounds.tick().expired == 1
    assert sorted(Comparison.objects.values_list("state", flat=True)) == ["expired", "open"]


def test_reaching_the_target_begins_closing() -> None:
    arena = factories.make_arena(target_votes=50)
    policy = PairPolicy.objects.create(
        round=arena, theta=b"", cov=b"", shown=b"", prompt_ids=b"", prompt_votes=b"", df=1.0, votes=49
    )
    assert rounds.tick().closing == 0
    policy.votes = 50
    policy.save()
    assert rounds.tick() == rounds.Ticked(closing=1, closed=1)


def test_tick_lets_new_answers_in(arena: Round, browse: Browse) -> None:
    rounds.tick()
    before = Round.objects.get().catalogue_version
    assert rounds.tick().answers == 0
    prompt = Prompt.objects.all()[0]
    rc = RoundCandidate.objects.filter(round=arena)[0]
    new = factories.make_response(rc.candidate, prompt, sample=1)
    assert rounds.tick().answers == 1
    after = Round.objects.get()
    assert after.catalogue_version == before + 1
    assert any(new.pk in cell for row in catalogue.load(after).answers for cell in row)


def test_commands_open_and_close(arena: Round) -> None:
    out, prompt_set = StringIO(), Prompt.objects.all()[0].set.slug
    call_command("open_round", "second", prompts=[prompt_set], stdout=out)
    assert "second is open: 3 candidates, 8 prompts" in out.getvalue()
    call_command("close_round", "second", stdout=out)
    call_command("close_round", "second", stdout=out)
    assert "is closing already" in out.getvalue()
    for command in (["open_round", "third", "--prompts", "nowhere"], ["close_round", "nowhere"]):
        with pytest.raises(CommandError, match="'nowhere'"):
            call_command(*command)


@pytest.mark.django_db(transaction=True)
def test_closing_waits_for_a_ballot_in_flight() -> None:
    arena = factories.make_arena()
    closed = threading.Event()

    def close() -> None:
        rounds.begin_closing(round=arena)
        closed.set()
        connection.close()

    closer = threading.Thread(target=close)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM voting_round WHERE id = %s FOR KEY SHARE", [arena.pk])
        closer.start()
        assert not closed.wait(0.5)
    assert closed.wait(10)
    closer.join()
