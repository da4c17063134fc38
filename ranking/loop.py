"""The arena worker's loop: fold what is queued, refresh what changed, and use little of the machine for it."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from ranking import folding, refresh
from ranking.models import Figures
from voting.models import BallotQueue, PairPolicy, Round

log = logging.getLogger(__name__)
PAUSE = 20.0  # a refresh runs again no sooner than this many times what the last one took: 5% of a core


@transaction.atomic
def update(*, round: Round, changed: bool = False) -> bool:
    """Fold and refresh in one transaction, so that a ballot leaves the queue only once the figures hold it.

    False where nothing was queued and the figures are there. `changed`: the sums are others than the figures know.
    """
    folded = folding.fold(round=round).ballots
    if not folded and not changed and Figures.objects.filter(round=round).exists():
        return False
    refresh.refresh(round=round)
    return True


def fold_open_rounds() -> int:
    """Returns how many rounds were brought up to date; the others have nothing queued, or were a moment ago."""
    queued = BallotQueue.objects.order_by().values_list("round_id", flat=True).distinct()
    return sum(_try(one) for one in Round.objects.filter(pk__in=list(queued)) if _is_due(one))


def _try(round_: Round) -> bool:
    """One round whose sums are broken must not stop the others."""
    try:
        return update(round=round_)
    except Exception:
        log.exception(
            "Round %s could not be ranked; its ballots stay queued. Try: manage.py verify", round_.slug
        )
        return False


def _is_due(round_: Round) -> bool:
    policy = PairPolicy.objects.filter(pk=round_.pk).first()
    if policy is None or round_.state == Round.State.CLOSING:
        return True
    return (timezone.now() - policy.fitted_at).total_seconds() >= PAUSE * policy.fit_seconds
