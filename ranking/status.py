"""The worst fact about the arena right now, in words, and what it does not touch."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from generation import heartbeat
from generation.models import Job, Plan
from ranking.plots.svg import count
from ranking.wording import plural
from voting.models import BallotQueue, Vote

BEHIND_SECONDS = 60  # a ballot that has waited longer: nobody folds


@dataclass(frozen=True)
class Status:
    well: bool
    fact: str
    meaning: str
    last_vote: str


def now() -> Status:
    last = _ago()
    behind = _behind()
    if behind:
        meaning = "Is the arena worker running? Voting is not touched."
        return Status(False, f"The ranking is behind by {plural(behind, 'vote')}.", meaning, last)
    waiting = Job.objects.filter(plan__state=Plan.State.RUNNING).exclude(state=Job.State.FAILED).count()
    workers = heartbeat.workers() if waiting else []
    if waiting and not workers:
        meaning = f"{plural(waiting, 'response waits', 'responses wait')}. Voting is not touched."
        return Status(False, "No generation worker seen.", meaning, last)
    if waiting:
        speed = sum(worker["tokens_per_second"] for worker in workers)
        busy = (
            f"{plural(len(workers), 'generation worker')} at {count(speed)} tokens/s, {count(waiting)} to go."
        )
        return Status(True, "All well.", busy, last)
    return Status(True, "All well.", "", last)


def _behind() -> int:
    """How many ballots wait for the fold, where the oldest has waited too long. Looks at 100,000 at most."""
    oldest = (
        BallotQueue.objects.exclude(vote_id=None).order_by("pk").values_list("vote_id", flat=True).first()
    )
    if oldest is None:
        return 0
    cast_at = Vote.objects.filter(pk=oldest).values_list("cast_at", flat=True).first()
    if cast_at is None or (timezone.now() - cast_at).total_seconds() < BEHIND_SECONDS:
        return 0
    return BallotQueue.objects.all()[:100_000].count()


def _ago() -> str:
    # By id, not by time: it is the primary key that is indexed, and seconds are enough here.
    last = Vote.objects.order_by("-pk").values_list("cast_at", flat=True).first()
    if last is None:
        return "No vote yet"
    seconds = int((timezone.now() - last).total_seconds())
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"Last vote {seconds // unit} {name} ago"
    return f"Last vote {max(seconds, 0)} s ago"
