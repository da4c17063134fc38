"""A round's life: draft, open, closing, closed. `tick` moves what time has moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from generation.models import LANGUAGES, Candidate, Prompt, PromptSet
from voting import catalogue, twins
from voting.errors import VotingError
from voting.models import Round, RoundCandidate, RoundPromptSet

_OPTIONS = frozenset(
    [
        "purpose",
        "top_k",
        "match_sampler",
        "close_when_named",
        "question_ja",
        "question_en",
        "weight",
        "ballots_per_voter",
        "previous",
        "anchor",
    ]
)


def open_round(
    *,
    slug: str,
    candidates: Sequence[Candidate],
    prompt_sets: Sequence[PromptSet],
    goal: str = "best",
    kind: str = "human",
    languages: Sequence[str] = ("ja", "en"),
    name: str = "",
    floor: float = 0.2,
    target_votes: int | None = None,
    invitation: str | None = None,
    **options: Any,
) -> Round:
    """Open a round at once. Its mix of prompts is frozen now; later answers of the same candidates may join in.

    `invitation` is the secret of its private link; without one the round is for everybody.
    """
    _check(slug, candidates, prompt_sets, languages, goal, kind, floor, options)
    prompts = list(
        Prompt.objects.filter(set__in=prompt_sets, language__in=languages, retired_at=None).order_by("id")
    )
    if not prompts:
        raise VotingError(
            f"No prompt of {_names(prompt_sets)} is in {' or '.join(languages)}. "
            " Import prompts, or name other languages."
        )
    with transaction.atomic():
        round_ = Round.objects.create(
            slug=slug, name=name, kind=kind, goal=goal, floor=floor, languages=list(languages),
            target_votes=target_votes, prompt_weights=weights_of(prompts), state=Round.State.OPEN,
            opened_at=timezone.now(), invitation_digest=invitation_digest(invitation) if invitation else None,
            **options,
        )  # fmt: skip
        RoundPromptSet.objects.bulk_create(RoundPromptSet(round=round_, set=one) for one in prompt_sets)
        RoundCandidate.objects.bulk_create(
            RoundCandidate(round=round_, candidate=one, position=k) for k, one in enumerate(candidates)
        )
        _check_answers(round_, candidates)
        twins.write(round=round_, prompt_ids=[prompt.pk for prompt in prompts])
    return round_


def weights_of(prompts: Sequence[Prompt]) -> dict[str, float]:
    """Each language weighs 1, each category within it the same, each prompt within that the same."""
    size = Counter((prompt.language, prompt.category) for prompt in prompts)
    categories = Counter(language for language, _ in size)
    return {
        str(prompt.pk): 1 / (categories[prompt.language] * size[prompt.language, prompt.category])
        for prompt in prompts
    }


def invitation_digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def begin_closing(*, round: Round) -> bool:
    """No new pair from now on; pairs on somebody's table may be voted on until they expire. False: it was not open."""
    with transaction.atomic():
        # Waits for ballots in flight: they hold the round FOR KEY SHARE.
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state != Round.State.OPEN:
            return False
        locked.state = Round.State.CLOSING
        locked.save(update_fields=["state"])
    round.state = Round.State.CLOSING
    return True


@dataclass(frozen=True)
class Ticked:
    expired: int = 0
    closing: int = 0
    closed: int = 0
    answers: int = 0


def tick() -> Ticked:
    """Expire pairs, begin the closing of rounds that have their votes, close the ones that are done."""
    expired = _expire()
    closing = sum(begin_closing(round=one) for one in _with_enough_votes())
    closed = sum(_close(round_id) for round_id in _ids("closing"))
    return Ticked(expired, closing, closed, answers=_note_new_answers())


def _ids(state: str) -> list[int]:
    return list(Round.objects.filter(state=state).order_by("id").values_list("id", flat=True))


def _expire() -> int:
    """SKIP LOCKED: a pair that is being voted on right now is the voter's; the next tick sees what came of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE voting_comparison SET state = 'expired', ended_at = now() WHERE id IN (
                SELECT id FROM voting_comparison WHERE state = 'open' AND expires_at <= now()
                 ORDER BY expires_at LIMIT 10000 FOR UPDATE SKIP LOCKED)
            """
        )
        return int(cursor.rowcount)


def _with_enough_votes() -> list[Round]:
    # As of the last refresh: counting votes here would cost more with every vote.
    return list(
        Round.objects.filter(
            state=Round.State.OPEN, target_votes__isnull=False, pairpolicy__votes__gte=F("target_votes")
        )
    )


def _close(round_id: int) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM voting_round WHERE id = %s FOR UPDATE", [round_id])
        cursor.execute(
            """
            UPDATE voting_round r SET state = 'closed', closed_at = now()
             WHERE r.id = %s AND r.state = 'closing'
               AND NOT EXISTS (SELECT FROM voting_comparison c WHERE c.round_id = r.id AND c.state = 'open')
               AND NOT EXISTS (SELECT FROM voting_ballotqueue q WHERE q.round_id = r.id)
            """,
            [round_id],
        )
        return bool(cursor.rowcount)


# (round, prompt) -> ids of its showable answers. A hint: a new worker looks at every prompt once more.
_answers_known: dict[tuple[int, int], frozenset[int]] = {}


def _note_new_answers() -> int:
    """Look for twins among answers that came in or went since, then let web processes load them. How many prompts."""
    changed = 0
    for round_ in Round.objects.filter(state=Round.State.OPEN):
        now: dict[tuple[int, int], frozenset[int]] = {}
        with connection.cursor() as cursor:
            cursor.execute(catalogue.SHOWABLE, [round_.pk, [int(key) for key in round_.prompt_weights]])
            for prompt, _, response, _ in cursor.fetchall():
                key = (round_.pk, prompt)
                now[key] = now.get(key, frozenset()) | {response}
        gone = {key for key in _answers_known if key[0] == round_.pk} - now.keys()
        other = [key for key, ids in now.items() if _answers_known.get(key) != ids] + sorted(gone)
        if not other:
            continue
        with transaction.atomic():
            twins.write(round=round_, prompt_ids=[prompt for _, prompt in other])
            Round.objects.filter(pk=round_.pk).update(catalogue_version=F("catalogue_version") + 1)
        _answers_known.update({key: now.get(key, frozenset()) for key in other})
        changed += len(other)
    return changed


def _check(
    slug: str,
    candidates: Sequence[Candidate],
    prompt_sets: Sequence[PromptSet],
    languages: Sequence[str],
    goal: str,
    kind: str,
    floor: float,
    options: dict[str, Any],
) -> None:
    if unknown := set(options) - _OPTIONS:
        raise VotingError(f"{min(unknown)} is no setting of a round. Known: {', '.join(sorted(_OPTIONS))}.")
    if Round.objects.filter(slug=slug).exists():
        raise VotingError(f"There is a round {slug!r} already. Take another slug.")
    for value, known, what in ((goal, Round.Goal.values, "goal"), (kind, Round.Kind.values, "kind")):
        if value not in known:
            raise VotingError(f"{what}={value!r} is not known. Take one of: {', '.join(known)}.")
    if not languages or set(languages) - set(LANGUAGES):
        raise VotingError(f"languages={list(languages)!r}: name one or more of {', '.join(LANGUAGES)}.")
    if not 0 <= floor <= 1:
        raise VotingError(f"floor={floor} is a share of the pairs: take 0 to 1.")
    if not prompt_sets:
        raise VotingError("A round needs a prompt set. Name at least one.")
    if len({one.pk for one in candidates}) < max(2, len(candidates)):
        raise VotingError(f"A round needs at least two candidates, each once; {len(candidates)} were given.")
    if decoys := [one.label for one in candidates if one.kind == Candidate.Kind.DECOY]:
        raise VotingError(f"{decoys[0]!r} is a decoy and cannot be ranked. Leave it out.")


def _check_answers(round_: Round, candidates: Sequence[Candidate]) -> None:
    """At least two candidates have answers, and somewhere to the same prompt; else the round would show nothing."""
    has_answer = catalogue.load(round_).has_answer
    silent = [one.label for k, one in enumerate(candidates) if not has_answer[:, k].any()]
    if len(candidates) - len(silent) < 2:
        raise VotingError(
            f"A round needs at least two candidates with answers; without any: {', '.join(map(repr, silent))}."
            " Generate or import responses first."
        )
    if not (has_answer.sum(axis=1) >= 2).any():
        raise VotingError(
            "No prompt has answers of two candidates, so no pair can be shown. Generate or import responses first."
        )


def _names(prompt_sets: Sequence[PromptSet]) -> str:
    return ", ".join(repr(one.slug) for one in prompt_sets)
