"""What the responses of a round say of its candidates, beside the votes."""

from __future__ import annotations

from django.db import connection

from ranking.figures import Facts
from voting.models import Round

_FACTS = """
SELECT a.position, count(*), avg((r.flags @> '[{"code": "empty"}]')::int),
       avg((r.flags @> '[{"code": "cut_off"}]')::int), avg((r.flags @> '[{"code": "twin"}]')::int)
  FROM voting_roundcandidate a
  JOIN generation_response r ON r.candidate_id = a.candidate_id
  JOIN generation_prompt p ON p.id = r.prompt_id
  JOIN voting_roundpromptset s ON s.round_id = a.round_id AND s.set_id = p.set_id
 WHERE a.round_id = %s GROUP BY a.position
"""


def response_facts(round_: Round, n: int) -> Facts:
    """Numbers of responses and shares of their flags, by position."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [round_.pk])
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    none = (0, 0.0, 0.0, 0.0)
    found = [rows.get(position, none) for position in range(n)]
    return Facts(
        responses=[int(row[0]) for row in found],
        flags=[{"empty": float(row[1]), "cut_off": float(row[2])} for row in found],
        twins=[float(row[3]) for row in found],
    )
