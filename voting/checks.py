"""`manage.py verify`: what the constraints cannot say about ballots."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from voting import rounds


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    n: int
    repaired: bool

    def __str__(self) -> str:
        return f"voting: {self.n} {self.what}" + (" (repaired)" if self.repaired else "")


_CHECKS = {
    "comparisons that are voted and have no live vote": """
        SELECT count(*) FROM voting_comparison c WHERE c.state = 'voted'
           AND NOT EXISTS (SELECT FROM voting_vote v WHERE v.comparison_id = c.id AND v.undone_at IS NULL)""",
    "live votes on comparisons that are not voted": """
        SELECT count(*) FROM voting_vote v JOIN voting_comparison c ON c.id = v.comparison_id
         WHERE v.undone_at IS NULL AND c.state <> 'voted'""",
    "comparisons whose answers are not the candidates at lo and hi": """
        SELECT count(*) FROM voting_comparison c
          JOIN generation_response l ON l.id =
               CASE WHEN c.lo_is_left THEN c.left_response_id ELSE c.right_response_id END
          JOIN generation_response h ON h.id =
               CASE WHEN c.lo_is_left THEN c.right_response_id ELSE c.left_response_id END
          JOIN voting_roundcandidate lo ON lo.round_id = c.round_id AND lo.position = c.lo
          JOIN voting_roundcandidate hi ON hi.round_id = c.round_id AND hi.position = c.hi
         WHERE c.kind <> 'gold' AND (l.candidate_id <> lo.candidate_id OR h.candidate_id <> hi.candidate_id
            OR l.prompt_id <> c.prompt_id OR h.prompt_id <> c.prompt_id)""",
}
_LATE = "SELECT count(*) FROM voting_comparison WHERE state = 'open' AND expires_at < now() - interval '5 minutes'"


def verify(repair: bool = False) -> list[Finding]:
    found = [Finding(what, _count(sql), False) for what, sql in _CHECKS.items()]
    late = _count(_LATE)
    if late and repair:
        rounds.tick()
    found.append(Finding("pairs that should have expired: is beat running?", late, repair))
    return [finding for finding in found if finding.n]


def _count(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
