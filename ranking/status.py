"""The worst fact about the arena right now, in words, and what it does not touch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Max
from django.utils import timezone

from generation import heartbeat
from generation.models import Job
from ranking.plots.svg import count
from voting.models import BallotQueue, Vote

BEHIND_VOTES = 200


@dataclass(frozen=True)
class Status:
    well: bool
    fact: str
    meaning: str
    last_vote: str


def now() -> Status:
    queued, waiting = BallotQueue.objects.count(), Job.objects.exclude(state="failed").count()
    last = _ago()
    if queued > BEHIND_VOTES:
        return Status(
            False, f"Ranking is {count(queued)} ballots behind.",
            "Is the arena worker running? Voting is not touched.", last,
        )  # fmt: skip
    if waiting and not heartbeat.workers():
        return Status(
            False, "No generation worker is at work.",
            f"{count(waiting)} responses wait. Voting is not touched.", last,
        )  # fmt: skip
    return Status(True, "All well.", f"{count(waiting)} responses being made." if waiting else "", last)


def _ago() -> str:
    last = Vote.objects.filter(undone_at=None).aggregate(at=Max("cast_at"))["at"]
    if last is None:
        return "No vote yet"
    ago: timedelta = timezone.now() - last
    seconds = int(ago.total_seconds())
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"Last vote {seconds // unit} {name} ago"
    return f"Last vote {max(seconds, 0)} s ago"
