"""A vote counts exactly once: double click, retry, two tabs, lost answer."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from tests.voting.conftest import Browse, voter_of
from voting import ballots, catalogue, rounds, voters
from voting.models import BallotQueue, Comparison, Report, Round, Vote, Voter

HTMX = {"HX-Request": "true"}


def shown(client: Client) -> Comparison:
    client.get("/compare")
    return Comparison.objects.filter(voter=voter_of(client), state="open").order_by("id")[0]


def cast(client: Client, comparison: Comparison, outcome: str = "left", **headers: str) -> int:
    return client.post(f"/vote/{comparison.token}", {"vote": outcome}, headers=headers or HTMX).status_code


def outcomes() -> list[str]:
    return list(Vote.objects.order_by("id").values_list("outcome", flat=True))


def queued() -> list[str]:
    return list(BallotQueue.objects.order_by("id").values_list("kind", flat=True))


def statements(context: CaptureQueriesContext) -> list[str]:
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "SET ")
    return [query["sql"] for query in context.captured_queries if not query["sql"].startswith(frame)]


@pytest.mark.django_db(transaction=True)
def test_a_vote_takes_six_statements_and_a_replay_one_more(
    browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_arena()
    client = browse()
    comparison = shown(client)
    monkeypatch.setattr(catalogue, "POLL_SECONDS", 3600)
    with CaptureQueriesContext(connection) as first:
        assert cast(client, comparison) == 200
    assert len(statements(first)) == 6, statements(first)
    with CaptureQueriesContext(connection) as replay:
        assert cast(client, comparison) == 200
    # Nothing is dealt at a replay, and the reading of what is recorded takes its place.
    assert len(statements(replay)) == 6, statements(replay)
    assert not any("session" in sql for sql in statements(first) + statements(replay))


@pytest.mark.django_db
def test_what_is_recorded_and_queued(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    data = {"vote": "tie", "dwell_ms": "5120", "input": "key"}
    client.post(f"/vote/{comparison.token}", data, headers={**HTMX, "Accept-Language": "ja"})
    vote = Vote.objects.get()
    assert (vote.outcome, vote.dwell_ms, vote.input, vote.ui_language) == ("tie", 5120, "key", "ja")
    row = BallotQueue.objects.get()
    assert (row.round_id, row.voter_id, row.vote_id, row.kind) == (
        arena.pk,
        comparison.voter_id,
        vote.pk,
        "cast",
    )
    comparison.refresh_from_db()
    assert comparison.state == "voted"


@pytest.mark.django_db
def test_a_replay_answers_with_what_is_recorded(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    assert [cast(client, comparison) for _ in range(3)] == [200, 200, 200]
    assert outcomes() == ["left"]
    assert queued() == ["cast"]


@pytest.mark.django_db
def test_another_outcome_on_a_used_token_changes_nothing_and_says_so(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    cast(client, comparison, "left")
    response = client.post(f"/vote/{comparison.token}", {"vote": "right"}, headers=HTMX)
    assert response.status_code == 200
    assert response.context["strip"]["recorded_as"] == "left"
    assert response.context["notice"] == "replay_differs"
    assert outcomes() == ["left"]


@pytest.mark.django_db
def test_absent_foreign_and_garbage_tokens_look_alike(arena: Round, browse: Browse) -> None:
    client, stranger = browse(), browse()
    comparison = shown(client)
    bodies = []
    for token in (comparison.token, uuid.uuid4(), "garbage"):
        for path in ("vote", "skip", "report"):
            data = {"vote": "left", "skip": "skip", "problem": "offensive"}
            response = stranger.post(f"/{path}/{token}", data, headers=HTMX)
            assert response.status_code == 404
            # The page has a fresh CSRF token in it each time.
            bodies.append(re.sub(rb'value="[A-Za-z0-9]{64}"', b"", response.content))
    assert len(set(bodies)) == 1
    assert (outcomes(), queued()) == ([], [])


@pytest.mark.django_db
@pytest.mark.parametrize("cookie", [None, "garbage", "key:1:forged"])
def test_without_a_cookie_of_ours_there_is_no_voter(arena: Round, browse: Browse, cookie: str | None) -> None:
    comparison = shown(browse())
    client = Client()
    if cookie:
        client.cookies[voters.COOKIE] = cookie
    assert cast(client, comparison) == 404
    assert outcomes() == []


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [HTMX, {"Accept": "text/html"}])
def test_an_expired_pair_is_gone_and_a_fresh_one_is_there(
    arena: Round, browse: Browse, headers: dict[str, str]
) -> None:
    client = browse()
    comparison = shown(client)
    Comparison.objects.filter(pk=comparison.pk).update(expires_at=timezone.now() - timedelta(days=1))
    response = client.post(f"/vote/{comparison.token}", {"vote": "left"}, headers=headers)
    assert response.status_code == 410
    assert response.context["notice"] == "expired"
    assert response.context["pair"]["token"] != str(comparison.token)
    assert outcomes() == []


@pytest.mark.django_db
def test_an_unknown_outcome_is_refused(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    response = client.post(f"/vote/{comparison.token}", {"vote": "middle"}, headers=HTMX)
    assert response.status_code == 400
    assert b"'middle'" in response.content and b"both_bad" in response.content
    assert cast(client, comparison) == 200


@pytest.mark.django_db
def test_without_javascript_a_vote_leads_back_to_compare(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    response = client.post(f"/vote/{comparison.token}", {"vote": "right"})
    assert (response.status_code, response["Location"]) == (303, "/compare")
    page = client.get("/compare")
    assert page.context["strip"]["outcome"] == "right"
    assert page.context["pair"]["token"] != str(comparison.token)


@pytest.mark.django_db
def test_the_prefetched_pair_is_the_one_shown_next(arena: Round, browse: Browse) -> None:
    client = browse()
    page = client.get("/compare")
    after = client.post(f"/vote/{page.context['pair']['token']}", {"vote": "left"}, headers=HTMX)
    assert after.context["pair"]["token"] == page.context["prefetched"]["token"]
    assert Comparison.objects.filter(state="open").count() == 2
    assert after["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_undo_reopens_the_pair_and_shows_it_first(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    cast(client, comparison)
    response = client.post("/undo", headers=HTMX)
    assert response.context["notice"] == "undone"
    comparison.refresh_from_db()
    assert response.context["pair"]["token"] == str(comparison.token)
    assert Vote.objects.get().undone_at is not None
    assert queued() == ["cast", "undo"]
    cast(client, comparison, "both_bad")
    assert list(Vote.objects.filter(undone_at=None).values_list("outcome", flat=True)) == ["both_bad"]


@pytest.mark.django_db
def test_a_second_click_on_undo_does_not_reach_the_vote_before(arena: Round, browse: Browse) -> None:
    client = browse()
    first, second = shown(client), None
    cast(client, first)
    second = shown(client)
    cast(client, second)
    for _ in range(2):
        client.post("/undo", {"token": str(second.token)}, headers=HTMX)
    assert Vote.objects.filter(undone_at=None).get().comparison_id == first.pk


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["ten minutes are over", "the round is closing", "nothing was voted"])
def test_what_cannot_be_undone_stays(arena: Round, browse: Browse, why: str) -> None:
    client = browse()
    comparison = shown(client)
    if why != "nothing was voted":
        cast(client, comparison)
    if why == "the round is closing":
        rounds.begin_closing(round=arena)
    if why == "ten minutes are over":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE voting_vote DISABLE TRIGGER voting_vote_guard")
            cursor.execute("UPDATE voting_vote SET cast_at = now() - interval '601 seconds'")
            cursor.execute("ALTER TABLE voting_vote ENABLE TRIGGER voting_vote_guard")
    response = client.post("/undo", headers=HTMX)
    assert response.status_code == 200
    assert not Vote.objects.filter(undone_at__isnull=False).exists()
    assert "undo" not in queued()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "state", "queue"),
    [("skip", "skipped", "skip"), ("cannot_judge", "cannot_judge", "cannot_judge")],
)
def test_a_pair_can_be_put_aside_once(
    arena: Round, browse: Browse, kind: str, state: str, queue: str
) -> None:
    client = browse()
    comparison = shown(client)
    for _ in range(2):
        response = client.post(f"/skip/{comparison.token}", {"skip": kind}, headers=HTMX)
        assert response.context["pair"]["token"] != str(comparison.token)
    comparison.refresh_from_db()
    assert (comparison.state, queued()) == (state, [queue])
    assert cast(client, comparison) == 410


@pytest.mark.django_db
def test_a_report_is_kept_and_the_pair_put_aside(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    data = {"problem": ["offensive", "names_model"], "comment": " it says who it is "}
    for _ in range(2):
        assert client.post(f"/report/{comparison.token}", data, headers=HTMX).status_code == 200
    report = Report.objects.get()
    assert (report.reasons, report.comment) == (["offensive", "names_model"], "it says who it is")
    assert queued() == ["report"]
    assert client.post(f"/report/{shown(client).token}", {"problem": "dull"}).status_code == 400


@pytest.mark.django_db
def test_reasons_are_the_voters_own(arena: Round, browse: Browse) -> None:
    client, stranger = browse(), browse()
    comparison = shown(client)
    cast(client, comparison)
    path, data = f"/reasons/{comparison.token}", {"reason": ["accuracy", "tone"], "comment": "B made it up"}
    assert client.post(path, data, headers=HTMX).status_code == 204
    assert stranger.post(path, {"reason": "detail"}, headers=HTMX).status_code == 404
    assert client.post(path, {"reason": "no such reason"}, headers=HTMX).status_code == 400
    vote = Vote.objects.get()
    assert (vote.reasons, vote.comment) == (["accuracy", "tone"], "B made it up")


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Results or errors of calls in threads of their own, with connections of their own."""
    results: list[object] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(k: int) -> None:
        try:
            ready.wait(10)
            results[k] = calls[k]()
        except Exception as error:  # noqa: BLE001
            results[k] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def cast_as(voter: Voter, comparison: Comparison, outcome: str) -> Callable[[], object]:
    def call() -> object:
        with voters.turn(voter.key_digest) as known:
            return ballots.cast(token=comparison.token, voter=known, outcome=outcome)

    return call


@pytest.mark.django_db(transaction=True)
def test_of_two_tabs_that_vote_at_once_one_counts(browse: Browse) -> None:
    factories.make_arena()
    client = browse()
    for _ in range(5):
        comparison = shown(client)
        first, second = at_once(*[cast_as(voter_of(client), comparison, o) for o in ("left", "right")])
        assert isinstance(first, ballots.Recorded) and isinstance(second, ballots.Recorded)
        assert {first.replay, second.replay} == {False, True}
        assert first.outcome == second.outcome
    assert Vote.objects.count() == 5
    assert queued() == ["cast"] * 5


@pytest.mark.django_db(transaction=True)
def test_without_lock_and_guard_both_tabs_would_have_written(
    browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the race is real, and then only the unique index stands in its way."""
    monkeypatch.setattr(voters, "_lock", lambda voter: None)
    monkeypatch.setattr(
        ballots, "_CAST", ballots._CAST.replace("AND state = 'open' AND expires_at > now()", "")
    )
    factories.make_arena()
    client = browse()
    comparison = shown(client)
    results = at_once(*[cast_as(voter_of(client), comparison, outcome) for outcome in ("left", "right")])
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "Recorded"]
    assert Vote.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX voting_vote_one_live")
    try:
        cast_as(voter_of(client), comparison, "right")()
        assert sorted(outcomes()) == ["left", "right"] or outcomes() == ["right", "right"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE voting_vote CASCADE")
            cursor.execute(
                "CREATE UNIQUE INDEX voting_vote_one_live ON voting_vote (comparison_id) WHERE undone_at IS NULL"
            )


@pytest.mark.django_db(transaction=True)
def test_who_cannot_get_the_lock_is_asked_to_send_it_again(browse: Browse) -> None:
    factories.make_arena()
    client = browse()
    comparison = shown(client)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashint8extended(%s, %s))",
                [voter_of(client).pk, voters.VOTER_SPACE],
            )
            locked.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        response = client.post(f"/vote/{comparison.token}", {"vote": "left"}, headers=HTMX)
        assert (response.status_code, response["Retry-After"]) == (503, "2")
    finally:
        done.set()
        holder.join()
    assert cast(client, comparison) == 200


@pytest.mark.django_db
def test_a_vote_is_not_saved_behind_the_ballots_back() -> None:
    with pytest.raises(TypeError, match=r"voting\.ballots"):
        Vote(outcome="left").save()


@pytest.mark.django_db
def test_the_database_refuses_a_second_live_vote(arena: Round, browse: Browse) -> None:
    comparison = shown(browse())
    factories.cast_directly(comparison, "left")
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.cast_directly(comparison, "right")


@pytest.mark.django_db
def test_a_late_copy_of_an_undone_vote_does_not_count(arena: Round, browse: Browse) -> None:
    client = browse()
    comparison = shown(client)
    vote = f"/vote/{comparison.token}"
    client.post(vote, {"vote": "left"}, headers=HTMX)
    client.post("/undo", headers=HTMX)
    assert client.post(vote, {"vote": "left"}, headers=HTMX).status_code == 404
    assert not Vote.objects.filter(undone_at=None).exists()
