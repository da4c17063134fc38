"""What this process knows of the open rounds: what may be shown, and the policy to draw from.

`poll` asks Postgres at most once a second, outside of a vote's transaction; a new version reloads its part.
Staleness of seconds is harmless: draws are random, and a comparison is only made in a round that is open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from django.db import connection

from voting import scheduler
from voting.models import PairPolicy, Round, RoundCandidate

POLL_SECONDS = 1.0
# Of what cannot be read in one language only: the label of a translation task, and who may get it.
BOTH = "both"


@dataclass(frozen=True)
class Live:
    """A human round that is open or closing."""

    id: int
    slug: str
    open: bool
    invited_only: bool
    weight: float
    ballots_per_voter: int
    questions: dict[str, str]
    catalogue_version: int
    policy_version: int | None
    policy_is_stale: bool
    floor: float
    catalogue: scheduler.Catalogue | None = None
    settings: scheduler.Settings | None = None
    policy: scheduler.Policy | None = None


_POLL = """
SELECT r.id, r.slug, r.state = 'open', r.invitation_digest IS NOT NULL, r.weight, r.ballots_per_voter,
       r.question_ja, r.question_en, r.catalogue_version, p.version,
       coalesce(p.fitted_at < now() - greatest(60, 40 * p.fit_seconds) * interval '1 second'
                AND EXISTS (SELECT FROM voting_ballotqueue q WHERE q.round_id = r.id), false),
       r.floor
  FROM voting_round r LEFT JOIN voting_pairpolicy p ON p.round_id = r.id
 WHERE r.state IN ('open', 'closing') AND r.kind = 'human'
 ORDER BY r.id
"""

_lock = threading.Lock()
_known: dict[int, Live] = {}
_polled_at = float("-inf")


def poll() -> None:
    """Bring `rounds` up to date, at most once a second. One thread asks; the others go on with what is known."""
    global _known, _polled_at
    if time.monotonic() - _polled_at < POLL_SECONDS:
        return
    if not _lock.acquire(blocking=_polled_at == float("-inf")):
        return
    try:
        if time.monotonic() - _polled_at < POLL_SECONDS:
            return
        with connection.cursor() as cursor:
            cursor.execute(_POLL)
            polled = [_live(row) for row in cursor.fetchall()]
        _known = {live.id: _filled(live, _known.get(live.id)) for live in polled}
        _polled_at = time.monotonic()
    finally:
        _lock.release()


def rounds() -> dict[int, Live]:
    """Human rounds that are open or closing, by id, as of the last poll."""
    return _known


def forget() -> None:
    """Ask again at the next poll, whenever the last one was."""
    global _known, _polled_at
    _known, _polled_at = {}, float("-inf")


def _live(row: tuple[Any, ...]) -> Live:
    columns = [field.name for field in fields(Live)]
    return Live(**dict(zip(columns, [*row[:6], {"ja": row[6], "en": row[7]}, *row[8:]], strict=False)))


def _filled(live: Live, known: Live | None) -> Live:
    """Add catalogue, settings and policy: those known already, where their version and the floor are the same."""
    if known is not None and (known.catalogue_version, known.policy_version, known.floor) == (
        live.catalogue_version,
        live.policy_version,
        live.floor,
    ):
        return replace(live, catalogue=known.catalogue, settings=known.settings, policy=known.policy)
    round_ = Round.objects.get(pk=live.id)
    same_catalogue = known is not None and known.catalogue_version == live.catalogue_version
    catalogue = known.catalogue if known is not None and same_catalogue else load(round_)
    return replace(live, catalogue=catalogue, settings=settings(round_), policy=policy(round_, catalogue))


_PROMPTS = """
SELECT p.id, p.language, coalesce(p.answer_language, p.language), p.category
  FROM generation_prompt p JOIN voting_roundpromptset s ON s.set_id = p.set_id
 WHERE s.round_id = %s AND p.retired_at IS NULL AND p.language = ANY(%s)
 ORDER BY p.id
"""
# An empty answer loses by its flag, not by asking people. Cut off and twin are no reason to hide an answer.
SHOWABLE = """
SELECT r.prompt_id, a.position, r.id, r.norm_sha
  FROM generation_response r
  JOIN voting_roundcandidate a ON a.candidate_id = r.candidate_id
 WHERE a.round_id = %s AND r.prompt_id = ANY(%s) AND r.hidden_at IS NULL
   AND NOT r.flags @> '[{"code": "empty"}]' AND (a.manifest_id IS NULL OR a.manifest_id = r.manifest_id)
 ORDER BY r.id
"""
_NEAR_TWINS = "SELECT prompt_id, low_response_id, high_response_id FROM voting_twin WHERE prompt_id = ANY(%s)"


def load(round: Round) -> scheduler.Catalogue:
    """Read everything that may be shown in this round."""
    with connection.cursor() as cursor:
        cursor.execute(_PROMPTS, [round.pk, round.languages])
        prompts = cursor.fetchall()
        ids = [row[0] for row in prompts]
        cursor.execute(SHOWABLE, [round.pk, ids])
        answers = cursor.fetchall()
        cursor.execute(_NEAR_TWINS, [ids])
        twins = set(cursor.fetchall())
    index = {prompt: k for k, prompt in enumerate(ids)}
    positions = RoundCandidate.objects.filter(round=round).count()
    table: list[list[list[int]]] = [[[] for _ in range(positions)] for _ in ids]
    for prompt, position, response, _ in answers:
        table[index[prompt]][position].append(response)
    # Answers that came since the twins were last written: at least the identical ones are known here and now.
    twins |= set(_identical(answers))
    return scheduler.Catalogue(
        version=round.catalogue_version,
        prompts=np.array(ids, dtype=np.int64),
        languages=tuple(language if language == answer else BOTH for _, language, answer, _ in prompts),
        categories=tuple(row[3] for row in prompts),
        answers=tuple(tuple(tuple(cell) for cell in row) for row in table),
        weights=np.array([float(round.prompt_weights.get(str(prompt), 0.0)) for prompt in ids]),
        twins=frozenset((index[prompt], low, high) for prompt, low, high in twins),
    )


def _identical(answers: Iterable[tuple[int, int, int, str]]) -> Iterable[tuple[int, int, int]]:
    """(prompt, lower, higher) of answers of two candidates with one normal form; `answers` are in order of id."""
    same: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for prompt, position, response, norm_sha in answers:
        earlier = same.setdefault((prompt, norm_sha), [])
        yield from ((prompt, low, response) for other, low in earlier if other != position)
        earlier.append((position, response))


def settings(round: Round) -> scheduler.Settings:
    """The round's settings; `languages` are put in for each voter."""
    rows = list(
        RoundCandidate.objects.filter(round=round)
        .order_by("position")
        .values_list(
            "retired_at", "candidate__retired_at", "candidate__checkpoint_id", "candidate__sampler_key"
        )
    )
    allowed = None
    if round.match_sampler:
        allowed = np.array([[a[2] != b[2] and a[3] == b[3] for b in rows] for a in rows], dtype=bool)
        allowed = np.triu(allowed, 1)
    return scheduler.Settings(
        goal=round.goal,  # type: ignore[arg-type]
        floor=round.floor,
        top_k=round.top_k,
        active=np.array([row[0] is None and row[1] is None for row in rows], dtype=bool),
        languages=frozenset(),
        allowed=allowed,
    )


def policy(round: Round, catalogue: scheduler.Catalogue | None = None) -> scheduler.Policy | None:
    """The last published policy, made ready to draw from; None before the first refresh."""
    published = PairPolicy.objects.filter(pk=round.pk).first()
    if published is None:
        return None
    catalogue = catalogue or load(round)
    theta = np.frombuffer(published.theta, dtype="<f8")
    n = len(theta)
    counts = dict(
        zip(
            np.frombuffer(published.prompt_ids, dtype="<i8").tolist(),
            np.frombuffer(published.prompt_votes, dtype="<i4").tolist(),
            strict=True,
        )
    )
    return scheduler.make_policy(
        round_id=round.pk,
        version=published.version,
        theta=theta,
        cov=np.frombuffer(published.cov, dtype="<f8").reshape(n, n),
        df=published.df,
        shown=np.triu(np.frombuffer(published.shown, dtype="<i4").reshape(n, n), 1),
        prompt_votes=np.array([counts.get(int(prompt), 0) for prompt in catalogue.prompts], dtype=np.int64),
        settings=settings(round),
    )
