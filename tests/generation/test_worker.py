"""A real Celery worker process on the test's own PostgreSQL and Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now

from generation import announcing, heartbeat
from generation.models import Job, Plan, Response
from tests import factories
from tests.generation.making import make_plan, make_tiny_checkpoint

pytestmark = pytest.mark.django_db(transaction=True)

Worker = subprocess.Popen[bytes]


def environment() -> dict[str, str]:
    used = connection.settings_dict
    host = used["OPTIONS"].get("host") or used["HOST"]
    return os.environ | {
        "DATABASE_URL": f"postgresql://{used['USER']}:{used['PASSWORD']}@/{used['NAME']}?host={host}",
        "REDIS_URL": settings.REDIS_URL,
        "TORCH_THREADS": "1",
    }


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    import shisa_arena.celery  # noqa: F401  this process sends to the same broker

    started: list[Worker] = []
    log = (tmp_path / "worker.log").open("wb")

    def start() -> Worker:
        # A process group of its own, so that a kill takes parent and child as a dying machine does.
        command = [sys.executable, "-m", "shisa_arena.processes", "worker-gpu"]
        worker = subprocess.Popen(command, env=environment(), start_new_session=True, stdout=log, stderr=log)
        started.append(worker)
        return worker

    heartbeat.client().flushall()
    yield start
    for worker in started:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def wait_until(condition: Callable[[], Any], *, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def make_long_plan(folder: Path) -> Plan:
    """Enough work that a worker can be hit in the middle of it."""
    checkpoint = make_tiny_checkpoint(folder / "tiny")
    candidate = factories.make_candidate(
        checkpoint=checkpoint, sampler={"max_new_tokens": 200, "temperature": 1.0}
    )
    return make_plan(n_prompts=60, samples=2, candidates=[candidate])


def test_killed_in_mid_batch_every_response_is_made_exactly_once(tmp_path: Path, start_worker: Any) -> None:
    plan = make_long_plan(tmp_path)
    n_jobs = plan.jobs.count()
    first = start_worker()
    announcing.announce()
    wait_until(lambda: Response.objects.count() >= 5)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done_before = dict(Response.objects.values_list("id", "text_sha"))
    n_leased = Job.objects.filter(state="leased").count()
    # Without these two the kill hit nothing, and the test would prove nothing.
    assert 5 <= len(done_before) < n_jobs and n_leased > 0
    assert len(done_before) + Job.objects.count() == n_jobs

    heartbeat.client().flushall()  # Redis forgets everything too
    Job.objects.filter(state="leased").update(lease_until=Now())  # a minute later
    start_worker()
    announcing.announce()
    wait_until(lambda: not Job.objects.exists())
    assert Response.objects.count() == n_jobs
    per_sample = Response.objects.values("candidate", "prompt", "sample").annotate(n=Count("id"))
    assert {row["n"] for row in per_sample} == {1} and len(per_sample) == n_jobs
    assert dict(Response.objects.filter(pk__in=done_before).values_list("id", "text_sha")) == done_before


def test_asked_to_stop_a_worker_hands_its_jobs_back(tmp_path: Path, start_worker: Any) -> None:
    plan = make_long_plan(tmp_path)
    n_jobs = plan.jobs.count()
    worker = start_worker()
    announcing.announce()
    wait_until(lambda: Response.objects.count() >= 3)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    n_done = Response.objects.count()
    assert n_done < n_jobs and n_done + Job.objects.count() == n_jobs
    assert set(Job.objects.values_list("state", "attempts")) == {("pending", 0)}
