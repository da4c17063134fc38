"""Reads about plans, for the dashboard and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Min, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from generation.models import Job, Plan, Response

_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one plan. Speed and time left are None where nothing was made in the last five minutes."""

    done: int
    failed: int
    pending: int
    leased: int
    total: int
    tokens_per_second: float | None
    seconds_left: float | None
    errors: tuple[str, ...] = ()


def plan_progress(plan: Plan) -> Progress:
    jobs = {row["state"]: row["n"] for row in _jobs_of(plan).values("state").annotate(n=Count("id"))}
    pending, leased, failed = (jobs.get(state, 0) for state in ("pending", "leased", "failed"))
    done = _responses_of(plan).count()
    tokens_per_second, per_second = _speed(plan)
    left = pending + leased
    return Progress(
        done=done,
        failed=failed,
        pending=pending,
        leased=leased,
        total=done + failed + left,
        tokens_per_second=tokens_per_second,
        seconds_left=left / per_second if per_second else (0.0 if not left else None),
        errors=tuple(_jobs_of(plan).exclude(error="").values_list("error", flat=True).distinct()[:3]),
    )


def _speed(plan: Plan) -> tuple[float | None, float | None]:
    """Tokens and responses a second, from what Postgres holds: it needs no worker's word for it."""
    # Imported ones were made elsewhere: they have no batch.
    recent = (
        _responses_of(plan).filter(created_at__gt=Now() - _WINDOW, tokens__isnull=False).exclude(batch={})
    )
    seen = recent.aggregate(n=Count("id"), tokens=Sum("tokens"), first=Min("created_at"))
    if not seen["n"]:
        return None, None
    seconds = max((timezone.now() - seen["first"]).total_seconds(), 1.0)
    return round((seen["tokens"] or 0) / seconds, 1), seen["n"] / seconds


def _jobs_of(plan: Plan) -> QuerySet[Job]:
    # A job that two plans want belongs to the one that made it; both wait for it.
    return Job.objects.filter(
        candidate__plancandidate__plan=plan, prompt__set__planpromptset__plan=plan, sample__lt=plan.samples
    )


def _responses_of(plan: Plan) -> QuerySet[Response]:
    return Response.objects.filter(
        candidate__plancandidate__plan=plan, prompt__set__planpromptset__plan=plan, sample__lt=plan.samples
    )
