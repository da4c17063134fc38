from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

import shisa_arena.celery  # noqa: F401  as in the web and worker processes
from generation import announcing, heartbeat, jobs, plans, pump, stopping
from generation.models import Checkpoint, Job, Manifest, Response
from tests import factories
from tests.generation.making import claim, make_plan, make_tiny_checkpoint

pytestmark = pytest.mark.django_db

SHORT = {"max_new_tokens": 6}
TWO_TURNS = [{"role": "user", "content": "Hi?"}, {"role": "user", "content": "And?"}]


@pytest.fixture
def tiny(tmp_path: Path) -> Checkpoint:
    return make_tiny_checkpoint(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Any:
    yield
    pump._loaded.clear()


def test_it_answers_everything_and_says_what_made_it(tiny: Checkpoint) -> None:
    candidate = factories.make_candidate(checkpoint=tiny, sampler=SHORT, system="Be kind.")
    plan = make_plan(n_prompts=5, candidates=[candidate], messages=TWO_TURNS[:1])
    plans.pause(plan=plan)
    two_turns = make_plan(n_prompts=1, candidates=[candidate], messages=TWO_TURNS)
    assert pump.run(tiny.pk) == 1
    made = Response.objects.get()
    assert (
        len(made.turns) == len(made.html) == 2 and made.tokens <= 12 and made.seed and made.batch["rows"] == 1
    )
    body = Manifest.objects.get().body
    assert body["sampler"]["max_new_tokens"] == 6 and body["revision"].startswith("sha256:")
    assert body["bos"]["sent"] == 1 and str(tiny.location) not in str(body)
    assert plans.settle() == 1 and two_turns.jobs.count() == 0


def test_it_goes_on_until_nothing_is_pending(tiny: Checkpoint, settings: Any) -> None:
    settings.GENERATION_MAX_ROWS = 4
    pair = [factories.make_candidate(checkpoint=tiny, sampler=SHORT | {"temperature": t}) for t in (0.5, 1.0)]
    make_plan(n_prompts=20, samples=2, candidates=pair)
    assert pump.run(tiny.pk) == 80 == Response.objects.count() and not Job.objects.exists()
    assert heartbeat.workers()[-1]["checkpoint"] == tiny.name


def test_weights_that_are_not_there_are_named_in_the_jobs() -> None:
    plan = make_plan(n_prompts=2)
    assert pump.run(plan.jobs.all()[0].checkpoint_id) == 0
    assert set(Job.objects.values_list("state", "attempts")) == {("pending", 1)}
    assert "There is nothing at /nowhere" in Job.objects.all()[0].error


def test_a_template_that_fails_stops_only_its_own_jobs(tiny: Checkpoint) -> None:
    good = factories.make_candidate(checkpoint=tiny, sampler=SHORT)
    bad = factories.make_candidate(checkpoint=tiny, sampler=SHORT, template="{{ raise_exception('no') }}")
    make_plan(n_prompts=2, candidates=[good, bad])
    assert pump.run(tiny.pk) == 2
    assert set(Response.objects.values_list("candidate", flat=True)) == {good.pk}
    assert (
        all("template cannot render" in job.error for job in Job.objects.all()) and Job.objects.count() == 2
    )


def test_asked_to_stop_it_hands_back_what_is_not_done(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plan(n_prompts=20, candidates=[factories.make_candidate(checkpoint=tiny, sampler=SHORT)])
    monkeypatch.setattr(stopping, "is_asked", lambda: Response.objects.count() >= 3)
    done = pump.run(tiny.pk)
    assert 3 <= done < 20 and Response.objects.count() == done
    assert (
        set(Job.objects.values_list("state", "attempts")) == {("pending", 0)}
        and Job.objects.count() == 20 - done
    )


def test_an_error_of_the_loop_hands_back_too(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plan(n_prompts=2, candidates=[factories.make_candidate(checkpoint=tiny, sampler=SHORT)])

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(pump.loop, "run", broken)
    with pytest.raises(RuntimeError, match="device lost"):
        pump.run(tiny.pk)
    assert set(Job.objects.values_list("state", flat=True)) == {"pending"}


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_leaves_the_checkpoint_to_the_first(tiny: Checkpoint) -> None:
    make_plan(n_prompts=1, candidates=[factories.make_candidate(checkpoint=tiny, sampler=SHORT)])
    done = []

    def second() -> None:
        try:
            done.append(pump.run(tiny.pk))
        finally:
            connection.close()

    with pump._alone(tiny.pk) as is_alone:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert is_alone and done == [0] and pump.run(tiny.pk) == 1


@pytest.mark.django_db(transaction=True)
def test_leases_are_renewed_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "RENEW_SECONDS", 0.05)
    plan = make_plan(n_prompts=1)
    job = jobs.claim(checkpoint_id=plan.jobs.all()[0].checkpoint_id, limit=1, lease_seconds=-1)[0]
    renewed = threading.Event()
    real = jobs.renew

    def renew(**fields: Any) -> int:
        count = real(**fields)
        renewed.set()
        return count

    monkeypatch.setattr(jobs, "renew", renew)
    with pump._Renewal({job.pk: (job, job.lease_token)}):
        assert renewed.wait(10)
    assert jobs.release_expired() == 0


def test_a_checkpoint_that_is_gone_is_no_error() -> None:
    assert pump.run(10**9) == 0


def test_a_checkpoint_with_work_is_announced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr("generation.tasks.generate.apply_async", lambda args, **_: sent.append(args[0]))
    checkpoint_id = make_plan(n_prompts=2).jobs.all()[0].checkpoint_id
    announcing.begun(checkpoint_id)
    assert (announcing.announce(), announcing.announce()) == (1, 0)
    announcing.begun(checkpoint_id)
    assert announcing.announce() == 1 and sent == [checkpoint_id] * 2


def test_a_checkpoint_that_a_worker_is_at_needs_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.tasks.generate.apply_async", lambda args, **_: None)
    plan = make_plan(n_prompts=3)
    job = claim(plan, limit=1)[0]
    announcing.begun(job.checkpoint_id)
    assert announcing.announce() == 0
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert announcing.announce() == 1


def test_without_redis_it_announces_all_the_same(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    import redis

    def away(*_: Any, **__: Any) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(heartbeat, "client", away)
    monkeypatch.setattr(heartbeat, "_log_again_at", 0.0)
    assert heartbeat.first_to_say("x", seconds=1) and heartbeat.first_to_say("x", seconds=1)
    assert heartbeat.workers() == [] and caplog.text.count("Redis does not answer") == 1
