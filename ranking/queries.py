"""Reads of the ranking that pages, commands and the API share."""

from __future__ import annotations

from typing import Any

from ranking import loop
from ranking.models import Figures
from voting.models import BallotQueue, Round


def current_figures(round_: Round, *, level: str = "candidate", slice: str = "all") -> dict[str, Any]:
    """The figures as of now: what is queued is folded and fitted first, so a page is never behind its votes."""
    wanted = Figures.objects.filter(round=round_, level=level, slice=slice)
    if BallotQueue.objects.filter(round_id=round_.pk).exists() or not wanted.exists():
        loop.update(round=round_)
    body: dict[str, Any] = wanted.get().body
    return body
