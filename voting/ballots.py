"""What a volunteer does to a comparison: cast, undo, skip, report. One transaction each, plain SQL.

A cast is six statements (see the numbers); design and tests hold it to that. No ORM instance, no session, no Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from voting import showing
from voting.errors import BallotError, ComparisonExpired, NoSuchComparison, NothingToUndo
from voting.models import Outcome

VOTER_SPACE = 73_001  # keeps our advisory locks apart from those on rounds and prompts
UNDO_MINUTES = 10
PRAISE = ("accuracy", "natural", "tone", "instructions", "clarity", "detail", "brevity")
FAULTS = ("wrong", "unnatural", "off_request", "cut_off", "repetition", "other_language")
REASONS = frozenset(PRAISE + FAULTS)
PROBLEMS = frozenset(("offensive", "personal_data", "names_model", "broken_text", "bad_prompt"))
INPUTS = frozenset(("key", "mouse", "touch"))


@dataclass(frozen=True)
class Voter:
    """The voter's row as the vote path needs it."""

    id: int
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Receipt:
    """What became of a ballot, and what to show next."""

    outcome: str
    token: str
    shown: showing.Shown
    replay: bool = False
    asked: str = ""  # what a replay asked for, which may differ from what stands


# 0: limits of this transaction come along, so that they cost no statement.
_VOTER = """
SELECT id, languages, set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true)
  FROM voting_voter WHERE key_digest = %s
"""
# 1: this voter's tabs one after the other; works behind PgBouncer.
_LOCK = "SELECT pg_advisory_xact_lock(hashint8extended(%s, %s))"
# 2: the comparison is ended, the vote made and queued, or none of them.
_CAST = """
WITH c AS (
    UPDATE voting_comparison SET state = 'voted', ended_at = now()
     WHERE token = %(token)s AND voter_id = %(voter)s AND state = 'open' AND expires_at > now()
    RETURNING id, round_id
), b AS (
    INSERT INTO voting_vote (comparison_id, outcome, reasons, comment, dwell_ms, input, ui_language)
    SELECT id, %(outcome)s, '{}', '', %(dwell_ms)s, %(input)s, %(ui_language)s FROM c
    RETURNING id, comparison_id
)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT c.round_id, %(voter)s, c.id, b.id, 'cast' FROM b JOIN c ON c.id = b.comparison_id
RETURNING round_id
"""
_STANDING = """
SELECT c.state, v.outcome, c.expires_at <= now() FROM voting_comparison c
  LEFT JOIN voting_vote v ON v.comparison_id = c.id AND v.undone_at IS NULL
 WHERE c.token = %s AND c.voter_id = %s
"""
_END = """
WITH c AS (
    UPDATE voting_comparison SET state = %(state)s, ended_at = now()
     WHERE token = %(token)s AND voter_id = %(voter)s AND state = 'open' AND expires_at > now()
    RETURNING id, round_id
), r AS (
    INSERT INTO voting_report (comparison_id, reasons, comment)
    SELECT id, %(reasons)s, %(comment)s FROM c WHERE %(state)s = 'reported'
)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT round_id, %(voter)s, id, NULL, %(kind)s FROM c
RETURNING round_id
"""
_LAST_VOTE = """
SELECT v.id, v.comparison_id, c.round_id FROM voting_vote v
  JOIN voting_comparison c ON c.id = v.comparison_id
 WHERE c.voter_id = %s AND v.undone_at IS NULL AND v.cast_at > now() - make_interval(mins => %s)
 ORDER BY v.id DESC LIMIT 1
"""
_UNDO = """
WITH r AS (SELECT id FROM voting_round WHERE id = %(round)s AND state = 'open' FOR KEY SHARE),
v AS (UPDATE voting_vote SET undone_at = now() FROM r
       WHERE voting_vote.id = %(vote)s AND undone_at IS NULL RETURNING voting_vote.id),
c AS (UPDATE voting_comparison SET state = 'open', ended_at = NULL, expires_at = now() + interval '30 minutes'
        FROM v WHERE voting_comparison.id = %(comparison)s RETURNING voting_comparison.id)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT %(round)s, %(voter)s, c.id, v.id, 'undo' FROM v, c
RETURNING id
"""
_REASONS = """
UPDATE voting_vote SET reasons = coalesce(%(reasons)s, reasons), comment = coalesce(%(comment)s, comment)
  FROM voting_comparison c JOIN voting_voter w ON w.id = c.voter_id
 WHERE c.id = comparison_id AND c.token = %(token)s AND w.key_digest = %(digest)s AND undone_at IS NULL
   AND cast_at > now() - make_interval(mins => %(minutes)s)
RETURNING voting_vote.id
"""


def _enter(cursor: CursorWrapper, digest: str) -> Voter:
    """Statements 0 and 1: find the voter and take their lock."""
    cursor.execute(_VOTER, [digest])
    row = cursor.fetchone()
    if row is None:
        raise NoSuchComparison
    cursor.execute(_LOCK, [row[0], VOTER_SPACE])
    cursor.fetchone()
    return Voter(row[0], tuple(json.loads(row[1])))


def cast(
    *, digest: str, token: str, outcome: str, dwell_ms: int | None, input: str, ui_language: str
) -> Receipt:
    """Take one vote and return the next pairs. A replay changes nothing and says what stands.

    Raises NoSuchComparison, ComparisonExpired (reported, skipped or open too long) and BallotError (no such outcome).
    """
    if outcome not in Outcome.values:
        raise BallotError(f"{outcome!r} is not an outcome. Known: {', '.join(Outcome.values)}.")
    with transaction.atomic(), connection.cursor() as cursor:
        voter = _enter(cursor, digest)
        values = {
            "token": token, "voter": voter.id, "outcome": outcome, "dwell_ms": dwell_ms,
            "input": input if input in INPUTS else "", "ui_language": ui_language,
        }  # fmt: skip
        cursor.execute(_CAST, values)
        taken = cursor.fetchone()
        standing = outcome if taken else _standing(cursor, token, voter)
        shown = showing.next_pairs(cursor, voter_id=voter.id, languages=voter.languages)
    return Receipt(standing, token, shown, replay=not taken, asked=outcome)


def _standing(cursor: CursorWrapper, token: str, voter: Voter) -> str:
    cursor.execute(_STANDING, [token, voter.id])
    row = cursor.fetchone()
    if row is None:
        raise NoSuchComparison
    if row[1] is None:
        raise ComparisonExpired
    return str(row[1])


def end(*, digest: str, token: str, kind: str, reasons: Sequence[str] = (), comment: str = "") -> Receipt:
    """End a comparison without a vote: kind `skip`, `cannot_judge` or `report`. A replay changes nothing."""
    state = {"skip": "skipped", "cannot_judge": "cannot_judge", "report": "reported"}.get(kind)
    if state is None:
        raise BallotError(f"{kind!r} is not a way to end a comparison.")
    with transaction.atomic(), connection.cursor() as cursor:
        voter = _enter(cursor, digest)
        values: dict[str, Any] = {
            "token": token, "voter": voter.id, "state": state, "kind": kind,
            "reasons": [one for one in reasons if one in PROBLEMS], "comment": comment[:500],
        }  # fmt: skip
        cursor.execute(_END, values)
        taken = cursor.fetchone()
        if not taken:
            cursor.execute(_STANDING, [token, voter.id])
            row = cursor.fetchone()
            if row is None:
                raise NoSuchComparison
            if row[0] == "open":
                raise ComparisonExpired
        shown = showing.next_pairs(cursor, voter_id=voter.id, languages=voter.languages)
    return Receipt(kind, token, shown, replay=not taken)


def undo(*, digest: str) -> showing.Shown:
    """Take back the voter's last vote, if it is not ten minutes old and its round is open. Its pair is shown again."""
    with transaction.atomic(), connection.cursor() as cursor:
        voter = _enter(cursor, digest)
        cursor.execute(_LAST_VOTE, [voter.id, UNDO_MINUTES])
        last = cursor.fetchone()
        if last is None:
            raise NothingToUndo
        cursor.execute(_UNDO, {"vote": last[0], "comparison": last[1], "round": last[2], "voter": voter.id})
        if cursor.fetchone() is None:
            raise NothingToUndo
        return showing.next_pairs(cursor, voter_id=voter.id, languages=voter.languages, first=last[1])


def show(*, digest: str) -> showing.Shown:
    """The voter's open pairs, filled up to two."""
    with transaction.atomic(), connection.cursor() as cursor:
        voter = _enter(cursor, digest)
        return showing.next_pairs(cursor, voter_id=voter.id, languages=voter.languages)


def save_reasons(*, digest: str, token: str, reasons: Sequence[str] | None, comment: str | None) -> bool:
    """What decided it, said by its voter within ten minutes. False where there is no such vote any more."""
    kept = None if reasons is None else sorted({one for one in reasons if one in REASONS})
    values = {
        "reasons": kept,
        "comment": None if comment is None else comment[:500],
        "token": token,
        "digest": digest,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_REASONS, values | {"minutes": UNDO_MINUTES})
        return cursor.fetchone() is not None
