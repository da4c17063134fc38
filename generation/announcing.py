"""Tell the generation workers which checkpoints have work. Repeated every 30 s, so any of it may get lost."""

from __future__ import annotations

import logging

from celery import current_app
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from generation import heartbeat, jobs, plans
from generation.models import Job, Plan

log = logging.getLogger(__name__)

# A message that nobody took until the next announcement is dropped by the broker's reader.
EXPIRES_SECONDS = 60


def announce() -> int:
    """Take back what dead workers held, and send a message for each checkpoint that needs one. How many."""
    jobs.release_expired()
    plans.settle()
    return sum(send(checkpoint_id) for checkpoint_id in checkpoints_that_wait())


def checkpoints_that_wait() -> list[int]:
    ready = Job.objects.filter(
        state=Job.State.PENDING, not_before__lte=timezone.now(), plan__state=Plan.State.RUNNING
    )
    # Where a lease is live, a worker is at it and goes on by itself: messages would only pile up behind it.
    in_work = Job.objects.filter(state=Job.State.LEASED).values("checkpoint")
    waiting = ready.exclude(checkpoint__in=in_work).order_by("checkpoint")
    return list(waiting.values_list("checkpoint", flat=True).distinct())


def send(checkpoint_id: int) -> bool:
    from generation.tasks import generate  # the task's module imports this one

    if not current_app.conf.broker_url:
        # A command or shell that never loaded the Celery app would try a broker on localhost.
        log.info("Checkpoint %s waits for the next announcement by beat.", checkpoint_id)
        return False
    if not heartbeat.first_to_say(f"generate:{checkpoint_id}", seconds=EXPIRES_SECONDS):
        return False
    try:
        generate.apply_async((checkpoint_id,), expires=EXPIRES_SECONDS, retry=False)
    except BrokerError as error:
        begun(checkpoint_id)
        log.warning("Checkpoint %s could not be announced (%s); beat does it again.", checkpoint_id, error)
        return False
    return True


def begun(checkpoint_id: int) -> None:
    """The message was taken: the next one may be sent at once, such as for jobs that come back."""
    heartbeat.forget(f"generate:{checkpoint_id}")
