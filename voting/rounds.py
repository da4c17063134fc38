"""A round's life: draft → open → closing → closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count
from django.utils import timezone

from generation.models import Candidate, Prompt, PromptSet, Response
from voting import catalogue, twins
from voting.errors import RoundError
from voting.models import Round, RoundCandidate, RoundPromptSet
from voting.queries import round_prompts


@transaction.atomic
def open_round(
    *,
    slug: str,
    candidates: Sequence[Candidate],
    prompt_sets: Sequence[PromptSet],
    languages: Sequence[str] = ("ja", "en"),
    **fields: Any,
) -> Round:
    """Open a round on these candidates' answers to these prompts.

    Freezes the prompts' weights, gives each candidate its position, and finds the twins. Raises RoundError, and then
    nothing is written, where the slug is taken or fewer than two candidates have answers to compare.
    """
    try:
        with transaction.atomic():
            round_ = Round.objects.create(
                slug=slug,
                languages=list(languages),
                state=Round.State.OPEN,
                opened_at=timezone.now(),
                **fields,
            )
    except IntegrityError as error:
        raise RoundError(f"Round {slug!r} cannot be made: {error}".strip()) from error
    RoundPromptSet.objects.bulk_create(RoundPromptSet(round=round_, set=one) for one in prompt_sets)
    RoundCandidate.objects.bulk_create(
        RoundCandidate(round=round_, candidate=one, position=position)
        for position, one in enumerate(candidates)
    )
    prompts = list(round_prompts(round_))
    _require_pairs(round_, candidates, prompts)
    round_.prompt_weights = _weights(prompts)
    round_.save(update_fields=["prompt_weights"])
    twins.find(prompts=prompts, candidate_ids=[one.pk for one in candidates])
    transaction.on_commit(catalogue.forget)
    return round_


def _require_pairs(round_: Round, candidates: Sequence[Candidate], prompts: Sequence[Prompt]) -> None:
    if len(candidates) < 2:
        raise RoundError(f"Round {round_.slug!r} needs two candidates or more, not {len(candidates)}.")
    if not prompts:
        raise RoundError(
            f"The prompt sets of round {round_.slug!r} have no prompt in {', '.join(round_.languages)}."
        )
    answered = Response.objects.filter(candidate__in=candidates, prompt__in=prompts, hidden_at=None)
    per_prompt = answered.values("prompt_id").annotate(n=Count("candidate_id", distinct=True))
    if not per_prompt.filter(n__gte=2).exists():
        raise RoundError(
            f"No prompt of round {round_.slug!r} has answers of two of its candidates. Generate them first "
            "(manage.py start_plan) or bring them in (manage.py import_responses)."
        )


def _weights(prompts: Sequence[Prompt]) -> dict[str, float]:
    """Each category of a language weighs the same, each prompt in it alike."""
    sizes = Counter((prompt.language, prompt.category) for prompt in prompts)
    return {str(prompt.pk): 1.0 / sizes[prompt.language, prompt.category] for prompt in prompts}


@transaction.atomic
def begin_closing(*, round: Round) -> bool:
    """Make no new pairs; those shown may still be voted on. False where the round was not open.

    FOR UPDATE waits for the ballots in flight, each of which holds the row FOR KEY SHARE; a plain UPDATE would not.
    """
    locked = Round.objects.select_for_update().get(pk=round.pk)
    if locked.state != Round.State.OPEN:
        return False
    locked.state = Round.State.CLOSING
    locked.save(update_fields=["state"])
    transaction.on_commit(catalogue.forget)
    return True


@dataclass(frozen=True)
class Ticked:
    expired: int
    closing: int
    closed: int


def tick() -> Ticked:
    """Expire pairs left open, begin to close rounds that reached their target, close those with nothing in flight."""
    expired = _expire()
    closing = sum(begin_closing(round=round_) for round_ in _reached_target())
    ready = Round.objects.filter(state=Round.State.CLOSING)
    return Ticked(expired=expired, closing=closing, closed=sum(_close_if_settled(round_) for round_ in ready))


def _expire() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE voting_comparison SET state = 'expired', ended_at = now() WHERE id IN ("
            " SELECT id FROM voting_comparison WHERE state = 'open' AND expires_at <= now() FOR UPDATE SKIP LOCKED)"
        )
        return cursor.rowcount


def _reached_target() -> list[Round]:
    """Counts votes that are in already, folded or not: this runs every ten seconds, not for every vote."""
    return list(
        Round.objects.raw(
            "SELECT r.* FROM voting_round r WHERE r.state = 'open' AND r.target_votes <= ("
            " SELECT count(*) FROM voting_comparison c JOIN voting_vote v ON v.comparison_id = c.id"
            " WHERE c.round_id = r.id AND v.undone_at IS NULL)"
        )
    )


@transaction.atomic
def _close_if_settled(round_: Round) -> bool:
    locked = Round.objects.select_for_update().get(pk=round_.pk)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM voting_comparison WHERE round_id = %s AND state = 'open')"
            " OR EXISTS (SELECT FROM voting_ballotqueue WHERE round_id = %s)",
            [locked.pk, locked.pk],
        )
        (in_flight,) = cursor.fetchone()
    if in_flight or locked.state != Round.State.CLOSING:
        return False
    locked.state, locked.closed_at = Round.State.CLOSED, timezone.now()
    locked.save(update_fields=["state", "closed_at"])
    return True
