"""Reads of the votes that an export is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection

from voting.models import Round


class Ballot(NamedTuple):
    """One live vote, seen from the response with the lower id: did it win (1), tie (0) or lose (-1)?"""

    prompt_id: int
    low_response: int
    high_response: int
    result: int
    both_bad: bool
    voter_id: int
    propensity: float


# Undone votes, excluded voters, repeats, gold pairs and hidden answers teach a trainer nothing.
_BALLOTS = """
SELECT c.prompt_id, least(c.left_response_id, c.right_response_id), greatest(c.left_response_id, c.right_response_id),
       CASE WHEN v.outcome IN ('tie', 'both_bad') THEN 0
            WHEN (v.outcome = 'left') = (c.left_response_id < c.right_response_id) THEN 1 ELSE -1 END,
       v.outcome = 'both_bad', coalesce(who.merged_into_id, who.id), c.propensity
  FROM voting_vote v
  JOIN voting_comparison c ON c.id = v.comparison_id
  JOIN voting_voter who ON who.id = c.voter_id
 WHERE c.round_id = %s AND v.undone_at IS NULL AND who.excluded_at IS NULL AND c.kind = 'normal'
 ORDER BY 1, 2, 3, v.id
"""


def ballots(round_: Round) -> Iterator[Ballot]:
    with connection.cursor() as cursor:
        cursor.execute(_BALLOTS, [round_.pk])
        while rows := cursor.fetchmany(10_000):
            yield from (Ballot(*row) for row in rows)


_CONVERSATIONS = """
SELECT r.id, r.turns, r.norm_sha, r.hidden_at IS NOT NULL, r.chars, r.tokens, a.label, k.name, k.output_terms,
       coalesce(p.system, a.system), p.messages, p.key, p.language, coalesce(p.answer_language, p.language), p.category,
       p.concept, s.slug
  FROM generation_response r
  JOIN generation_candidate a ON a.id = r.candidate_id
  JOIN generation_checkpoint k ON k.id = a.checkpoint_id
  JOIN generation_prompt p ON p.id = r.prompt_id
  JOIN generation_promptset s ON s.id = p.set_id
 WHERE r.id = ANY(%s)
"""


class Conversation(NamedTuple):
    """A response together with what it answers."""

    response_id: int
    turns: list[dict[str, Any]]
    norm_sha: str
    hidden: bool
    chars: int
    tokens: int | None
    candidate: str
    checkpoint: str
    output_terms: str
    system: str
    messages: list[dict[str, str]]
    prompt_key: str
    language: str
    answer_language: str
    category: str
    concept: str
    prompt_set: str

    @property
    def texts(self) -> list[str]:
        return [str(turn["text"]) for turn in self.turns]


def conversations(response_ids: list[int]) -> dict[int, Conversation]:
    with connection.cursor() as cursor:
        cursor.execute(_CONVERSATIONS, [response_ids])
        rows = cursor.fetchall()
    # Raw SQL: psycopg's jsonb loader is Django's business, so the columns arrive as text.
    made = (
        Conversation._make((row[0], json.loads(row[1]), *row[2:10], json.loads(row[10]), *row[11:]))
        for row in rows
    )
    return {one.response_id: one for one in made}
