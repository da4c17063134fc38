"""What a voter does with a pair: cast, undo, skip, report, say why. Each counts once, however often it is sent.

All of these run inside `voters.turn`, which holds the voter's lock: two tabs of one voter take turns. The guard
is the state of the comparison, changed and checked in one statement; the unique index on live votes is the last
word.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from voting.errors import Expired, NotFound, Refused
from voting.models import Outcome
from voting.pairs import LIFETIME
from voting.voters import Known

UNDO_WITHIN = "10 minutes"
INPUTS = ("key", "mouse", "touch", "pen")
LONGEST_COMMENT = 500
REASONS = frozenset(
    [
        "accuracy",
        "natural",
        "tone",
        "instructions",
        "clarity",
        "detail",
        "brevity",
        "wrong",
        "unnatural",
        "off_request",
        "cut_off",
        "repetition",
        "other_language",
    ]
)
PROBLEMS = frozenset(["offensive", "personal_data", "names_model", "broken_text", "bad_prompt"])
_MOST_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Recorded:
    """What stands in the books for this comparison. `replay`: it stood there before this request."""

    token: uuid.UUID
    outcome: str
    round_id: int
    replay: bool = False


_CAST = """
WITH c AS (UPDATE voting_comparison SET state = 'voted', ended_at = now()
            WHERE token = %(token)s AND voter_id = %(voter)s AND state = 'open' AND expires_at > now()
           RETURNING id, round_id),
     v AS (INSERT INTO voting_vote (comparison_id, outcome, reasons, comment, dwell_ms, input, ui_language)
           SELECT id, %(outcome)s, '{}', '', %(dwell_ms)s, %(input)s, %(ui_language)s FROM c
           RETURNING id, comparison_id)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT c.round_id, %(voter)s, c.id, v.id, 'cast' FROM v JOIN c ON c.id = v.comparison_id
RETURNING round_id
"""


def cast(
    *,
    token: uuid.UUID,
    voter: Known,
    outcome: str,
    dwell_ms: int | None = None,
    input: str = "",
    ui_language: str = "",
) -> Recorded:
    """Record one vote. A used token gives what is recorded already, unchanged; NotFound, Expired."""
    if outcome not in Outcome.values:
        raise Refused(f"vote={outcome!r} is not known. Send one of: {', '.join(Outcome.values)}.")
    with connection.cursor() as cursor:
        cursor.execute(
            _CAST,
            {
                "token": token,
                "voter": voter.id,
                "outcome": outcome,
                "dwell_ms": dwell_ms if dwell_ms is not None and 0 <= dwell_ms <= _MOST_MS else None,
                "input": input if input in INPUTS else "",
                "ui_language": ui_language[:2],
            },
        )
        if row := cursor.fetchone():
            return Recorded(token, outcome, row[0])
    state, recorded, round_id = _already(token, voter)
    if state == "voted" and recorded:
        return Recorded(token, recorded, round_id, replay=True)
    raise Expired("This pair takes no votes any more.")


def _already(token: uuid.UUID, voter: Known) -> tuple[str, str | None, int]:
    """(state, recorded outcome, round) of a comparison of this voter. Absent and another voter's are one NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.state, v.outcome, c.round_id FROM voting_comparison c
              LEFT JOIN voting_vote v ON v.comparison_id = c.id AND v.undone_at IS NULL
             WHERE c.token = %s AND c.voter_id = %s
            """,
            [token, voter.id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such pair.")
    return row[0], row[1], row[2]


_LAST = f"""
SELECT v.id, v.comparison_id, v.outcome, c.token, c.round_id, v.cast_at > now() - interval '{UNDO_WITHIN}' AS fresh
  FROM voting_comparison c JOIN voting_vote v ON v.comparison_id = c.id AND v.undone_at IS NULL
 WHERE c.voter_id = %(voter)s AND c.state = 'voted'
 ORDER BY v.cast_at DESC, v.id DESC LIMIT 1
"""


def last(*, voter: Known) -> Recorded | None:
    """This voter's last vote, while it can be undone."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST, {"voter": voter.id})
        row = cursor.fetchone()
    return Recorded(row[3], row[2], row[4]) if row and row[5] else None


_UNDO = f"""
WITH l AS ({_LAST}),
     r AS (SELECT id FROM voting_round WHERE id = (SELECT round_id FROM l) AND state = 'open' FOR KEY SHARE),
     v AS (UPDATE voting_vote SET undone_at = now()
            WHERE id = (SELECT id FROM l WHERE fresh AND (%(token)s::uuid IS NULL OR token = %(token)s))
              AND undone_at IS NULL AND EXISTS (SELECT FROM r)
           RETURNING id, comparison_id),
     c AS (UPDATE voting_comparison c SET state = 'open', ended_at = NULL, token = gen_random_uuid(),
                  expires_at = now() + interval '{LIFETIME}'
             FROM v WHERE c.id = v.comparison_id RETURNING c.id, c.round_id, c.token)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT c.round_id, %(voter)s, c.id, v.id, 'undo' FROM v JOIN c ON c.id = v.comparison_id
RETURNING (SELECT token FROM c)
"""


def undo(*, voter: Known, token: uuid.UUID | None = None) -> uuid.UUID | None:
    """Take back the last vote and reopen its comparison; the token of it, or None where there is nothing to undo.

    The token is a new one: a late copy of the request that was undone must not count as another vote.

    With `token` only that comparison's vote: a second click does not reach the vote before it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNDO, {"voter": voter.id, "token": token})
        row = cursor.fetchone()
    return row[0] if row else None


_END = """
WITH c AS (UPDATE voting_comparison SET state = %(state)s, ended_at = now()
            WHERE token = %(token)s AND voter_id = %(voter)s AND state = 'open' AND expires_at > now()
           RETURNING id, round_id)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, kind)
SELECT round_id, %(voter)s, id, %(kind)s FROM c RETURNING comparison_id
"""
_QUEUED_AS = {"skipped": "skip", "cannot_judge": "cannot_judge", "reported": "report"}


def skip(*, token: uuid.UUID, voter: Known, kind: str) -> None:
    """Put a pair aside: `skip`, or `cannot_judge`. What is put aside or voted on already stays as it is."""
    states = {"skip": "skipped", "cannot_judge": "cannot_judge"}
    if kind not in states:
        raise Refused(f"skip={kind!r} is not known. Send one of: {', '.join(states)}.")
    _end(token, voter, states[kind])


def report(*, token: uuid.UUID, voter: Known, problems: Sequence[str], comment: str = "") -> None:
    """Put a pair aside and say what is wrong with it."""
    _check(problems, PROBLEMS, "problem")
    if not problems and not comment.strip():
        raise Refused("Nothing was reported: tick a problem or write a comment.")
    comparison = _end(token, voter, "reported")
    if comparison is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO voting_report (comparison_id, reasons, comment) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [comparison, list(problems), _short(comment)],
        )


def _end(token: uuid.UUID, voter: Known, state: str) -> int | None:
    """End an open comparison; its id, or None where it had ended before."""
    with connection.cursor() as cursor:
        cursor.execute(_END, {"token": token, "voter": voter.id, "state": state, "kind": _QUEUED_AS[state]})
        if row := cursor.fetchone():
            return int(row[0])
    if _already(token, voter)[0] in ("open", "expired"):
        raise Expired("This pair has expired.")
    return None


def save_reasons(
    *, token: uuid.UUID, voter: Known, reasons: Sequence[str], comment: str | None = None
) -> None:
    """What decided it, as it stands now. For the voter's own live vote and for ten minutes; then it stays."""
    _check(reasons, REASONS, "reason")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE voting_vote v SET reasons = %s, comment = coalesce(%s, v.comment)
              FROM voting_comparison c
             WHERE c.id = v.comparison_id AND c.token = %s AND c.voter_id = %s AND v.undone_at IS NULL
               AND v.cast_at > now() - interval '{UNDO_WITHIN}'
            """,
            [list(reasons), None if comment is None else _short(comment), token, voter.id],
        )
        if cursor.rowcount:
            return
    _already(token, voter)
    raise Expired("Reasons can be given for ten minutes after a vote.")


def _check(given: Sequence[str], known: frozenset[str], field: str) -> None:
    if unknown := set(given) - known:
        raise Refused(f"{field}={min(unknown)!r} is not known. Send any of: {', '.join(sorted(known))}.")
    if len(given) > len(known):
        raise Refused(f"{field} was sent {len(given)} times. Send each at most once.")


def _short(comment: str) -> str:
    return comment.replace("\0", "").strip()[:LONGEST_COMMENT]
