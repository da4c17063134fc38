from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from generation import jobs, plans
from generation.models import Job, Response
from tests import factories
from tests.generation.making import claim, finish, make_plan

pytestmark = pytest.mark.django_db


def test_what_is_leased_is_not_leased_again() -> None:
    plan = make_plan(n_prompts=3)
    assert len(claim(plan, limit=2)) == 2 and len(claim(plan, limit=2)) == 1 and claim(plan) == []


def test_finishing_stores_the_response_and_deletes_the_job() -> None:
    job = claim(make_plan(n_prompts=1))[0]
    made = finish(job, "Hello.")
    assert made.seed == job.seed and made.turns[0]["text"] == "Hello."
    assert not Job.objects.exists() and Response.objects.count() == 1


def test_a_worker_that_lost_its_lease_stores_nothing() -> None:
    plan = make_plan(n_prompts=1)
    lost = claim(plan, lease_seconds=-1)[0]
    assert jobs.release_expired() == 1
    taken_over = claim(plan)[0]
    assert finish(lost, "late") is None and Job.objects.count() == 1
    assert finish(taken_over, "mine").turns[0]["text"] == "mine"
    assert finish(lost, "later still") is None and Response.objects.count() == 1


def test_a_response_that_is_there_already_stays_and_the_job_goes() -> None:
    job = claim(make_plan(n_prompts=1))[0]
    factories.make_response(job.candidate, job.prompt, "first")
    assert finish(job, "second") is None
    assert not Job.objects.exists() and Response.objects.get().turns[0]["text"] == "first"


def test_if_the_response_cannot_be_stored_the_job_stays() -> None:
    job = claim(make_plan(n_prompts=1))[0]
    with pytest.raises(KeyError), transaction.atomic():
        jobs.finish(job=job, token=job.lease_token, turns=[{"no": "text"}], manifest={})
    assert Job.objects.get().lease_token == job.lease_token


def test_a_renewed_lease_does_not_expire() -> None:
    job = claim(make_plan(n_prompts=1), lease_seconds=-1)[0]
    assert jobs.renew(tokens=[job.lease_token], lease_seconds=60) == 1
    assert jobs.release_expired() == 0
    assert jobs.renew(tokens=[uuid4()], lease_seconds=60) == 0


def test_three_failures_and_a_person_has_to_look() -> None:
    plan = make_plan(n_prompts=1)
    for attempt in range(3):
        job = claim(plan)[0]
        jobs.fail(job=job, token=job.lease_token, error=f"broken {attempt}\0")
        assert claim(plan) == []  # it waits
        Job.objects.update(not_before=Now())
    job = Job.objects.get()
    assert (job.state, job.error, job.attempts) == ("failed", "broken 2\ufffd", 3) and claim(plan) == []
    assert plans.retry_failed(plan=plan) == 1 and len(claim(plan)) == 1


def test_the_wait_grows() -> None:
    plan = make_plan(n_prompts=1)
    waits = []
    for _ in range(2):
        job = claim(plan)[0]
        jobs.fail(job=job, token=job.lease_token, error="broken")
        waiting = Job.objects.annotate(now=Now()).get()
        waits.append((waiting.not_before - waiting.now).total_seconds())
        Job.objects.update(not_before=Now() - timedelta(seconds=1))
    assert waits == [pytest.approx(30, abs=1), pytest.approx(60, abs=1)]


def test_a_job_that_kills_its_worker_each_time_is_set_aside() -> None:
    plan = make_plan(n_prompts=1)
    for _ in range(jobs.MAX_EXPIRIES):
        assert len(claim(plan, lease_seconds=-1)) == 1
        jobs.release_expired()
    assert Job.objects.get().state == "failed" and "stopped renewing" in Job.objects.get().error


def test_handing_back_costs_no_attempt() -> None:
    job = claim(make_plan(n_prompts=1))[0]
    assert jobs.release(tokens=[job.lease_token]) == 1
    assert (Job.objects.get().state, Job.objects.get().attempts) == ("pending", 0)


def test_a_checkpoint_that_cannot_be_loaded_makes_its_jobs_wait_then_fail() -> None:
    plan = make_plan(n_prompts=2)
    checkpoint_id = plan.jobs.values_list("checkpoint", flat=True)[0]
    for _ in range(3):
        assert jobs.fail_checkpoint(checkpoint_id=checkpoint_id, error="not there") == 2
        assert jobs.fail_checkpoint(checkpoint_id=checkpoint_id, error="not there") == 0
        Job.objects.update(not_before=Now())
    assert set(Job.objects.values_list("state", "error")) == {("failed", "not there")}


BROKEN = [
    {"state": "leased"},
    {"state": "leased", "lease_token": uuid4()},
    {"state": "pending", "lease_token": uuid4()},
    {"state": "failed", "lease_until": Now()},
    {"state": "lost"},
]


@pytest.mark.parametrize("fields", BROKEN)
def test_the_database_refuses_half_a_lease(fields: dict) -> None:
    make_plan(n_prompts=1)
    with pytest.raises(IntegrityError, match="generation_job_lease"), transaction.atomic():
        Job.objects.update(**fields)


def claim_at_once(plan, n_workers: int) -> list[list[int]]:
    """Each worker claims half of the jobs, all at the same moment."""
    got: list[list[int]] = [[] for _ in range(n_workers)]
    ready = threading.Barrier(n_workers)

    def work(number: int) -> None:
        try:
            ready.wait()
            got[number] = [job.pk for job in claim(plan, limit=20)]
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_share_the_jobs() -> None:
    got = claim_at_once(make_plan(n_prompts=40), n_workers=4)
    claimed = [pk for one in got for pk in one]
    assert len(claimed) == len(set(claimed)) == 40


@pytest.mark.django_db(transaction=True)
def test_without_the_row_locks_the_race_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: picking first and marking later hands the same jobs to several."""
    plan = make_plan(n_prompts=40)
    all_picked = threading.Barrier(4)

    def pick_then_mark(*, checkpoint_id: int, limit: int, lease_seconds: int) -> list[Job]:
        picked = list(Job.objects.filter(checkpoint=checkpoint_id, state="pending").order_by("id")[:limit])
        all_picked.wait()
        Job.objects.filter(pk__in=[job.pk for job in picked]).update(
            state="leased", lease_token=uuid4(), lease_until=Now()
        )
        return picked

    monkeypatch.setattr(jobs, "claim", pick_then_mark)
    claimed = [pk for one in claim_at_once(plan, n_workers=4) for pk in one]
    assert len(claimed) > len(set(claimed))
