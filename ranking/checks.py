"""`manage.py verify`: recount the sums from the votes, by SQL of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from ranking import folding, loop
from ranking.ballots import BINS, FAST_MS
from voting.models import Round


@dataclass(frozen=True)
class Finding:
    round: str
    table: str
    key: str
    stored: str
    recounted: str

    def __str__(self) -> str:
        where = f"{self.table} of round {self.round}, {self.key}"
        return f"ranking: {where}: stored {self.stored}, counted {self.recounted}"


# What is counted at this moment: ended by a voter who is not excluded, not waiting in the queue.
_BALLOTS = """
WITH ballots AS (
    SELECT c.*, p.language, w."group" = 'insider' AS insider, v.outcome, v.dwell_ms,
           v.outcome IN ('tie', 'both_bad') AS tied,
           (v.outcome = 'left') = c.lo_is_left AS lo_won
      FROM voting_comparison c
      JOIN voting_voter w ON w.id = c.voter_id AND w.excluded_at IS NULL
      JOIN generation_prompt p ON p.id = c.prompt_id
      LEFT JOIN voting_vote v ON v.comparison_id = c.id AND v.undone_at IS NULL
     WHERE c.round_id = %(round)s AND c.kind = 'normal'
       AND c.state IN ('voted', 'skipped', 'cannot_judge', 'reported')
)
"""
_OUTCOMES = """
 count(*) FILTER (WHERE NOT tied AND lo_won) AS lo_wins, count(*) FILTER (WHERE NOT tied AND NOT lo_won) AS hi_wins,
 count(*) FILTER (WHERE outcome = 'tie') AS ties, count(*) FILTER (WHERE outcome = 'both_bad') AS both_bad
"""
_BIN = f"least({BINS - 1}, greatest(0, 1 + floor(log(2, greatest(dwell_ms, 1)::numeric / 500))))"
_BINS = ", ".join(f"count(*) FILTER (WHERE dwell_ms IS NOT NULL AND {_BIN} = {k})" for k in range(BINS))
_RECOUNTS = {
    "votertally": (
        ("voter_id", "language", "lo", "hi"),
        ("lo_wins", "hi_wins", "ties", "both_bad"),
        f"SELECT voter_id, language, lo, hi, {_OUTCOMES} FROM ballots WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4",
    ),
    "prompttally": (
        ("prompt_id", "insider", "lo", "hi", "lo_is_left"),
        ("lo_wins", "hi_wins", "ties", "both_bad", "skips", "cannot_judge", "reports"),
        f"SELECT prompt_id, insider, lo, hi, lo_is_left, {_OUTCOMES}, count(*) FILTER (WHERE state = 'skipped'),"
        " count(*) FILTER (WHERE state = 'cannot_judge'), count(*) FILTER (WHERE state = 'reported')"
        " FROM ballots GROUP BY 1, 2, 3, 4, 5",
    ),
    "roundvoter": (
        ("voter_id",),
        ("left", "right", "ties", "both_bad", "skips", "fast_ties", "dwell_bins"),
        "SELECT voter_id, count(*) FILTER (WHERE outcome = 'left'), count(*) FILTER (WHERE outcome = 'right'),"
        " count(*) FILTER (WHERE outcome = 'tie'), count(*) FILTER (WHERE outcome = 'both_bad'),"
        " count(*) FILTER (WHERE outcome IS NULL),"
        f" count(*) FILTER (WHERE tied AND dwell_ms < {FAST_MS}), ARRAY[{_BINS}]::int[] FROM ballots GROUP BY 1",
    ),
}  # fmt: skip


def verify(repair: bool = False) -> list[Finding]:
    """Every round's sums against a recount; with `repair` the recount is written where they differ."""
    findings: list[Finding] = []
    for round_ in Round.objects.exclude(state=Round.State.DRAFT).order_by("id"):
        findings += _verify_round(round_, repair=repair)
    return findings


def _verify_round(round_: Round, *, repair: bool) -> list[Finding]:
    _, folded = _fold(round_)  # most of the queue, before anybody has to wait for us
    with transaction.atomic(), connection.cursor() as cursor:
        folding.lock(cursor, round_.pk)
        # Ballots of the next milliseconds wait for this lock's end: SHARE stops writing, not reading.
        cursor.execute("LOCK TABLE voting_ballotqueue IN SHARE MODE")
        stuck, late = _fold(round_)
        if stuck and not repair:
            return [Finding(round_.slug, "ballotqueue", "fold", stuck, "a sum below zero: repair")]
        if stuck:
            # The recount holds them: it reads votes, not the queue.
            cursor.execute("DELETE FROM voting_ballotqueue WHERE round_id = %s", [round_.pk])
        findings = [one for table in _RECOUNTS for one in _differences(cursor, round_, table)]
        if findings and repair:
            for table in _RECOUNTS:
                _rewrite(cursor, round_, table)
    if repair or not findings:  # sums that contradict each other cannot be fitted
        loop.update(round=round_, changed=bool(folded or late or findings))
    return findings


def _fold(round_: Round) -> tuple[str, int]:
    """Why the queue cannot be folded, or nothing; ballots folded. Sums that were tampered with can stop it."""
    try:
        with transaction.atomic():
            return "", folding.fold(round=round_).ballots
    except IntegrityError as error:
        return str(error).splitlines()[0], 0


def _differences(cursor: CursorWrapper, round_: Round, table: str) -> list[Finding]:
    keys, counts, recount = _RECOUNTS[table]
    cursor.execute(_BALLOTS + recount, {"round": round_.pk})
    counted = _by_key(cursor.fetchall(), len(keys))
    columns = ", ".join(f'"{name}"' for name in (*keys, *counts))
    cursor.execute(f"SELECT {columns} FROM ranking_{table} WHERE round_id = %s", [round_.pk])
    stored = _by_key(cursor.fetchall(), len(keys))
    nothing = _zeros(counts)
    return [
        Finding(round_.slug, table, _words(keys, key), _words(counts, a), _words(counts, b))
        for key in sorted({*stored, *counted})
        if (a := stored.get(key, nothing)) != (b := counted.get(key, nothing))
    ]


def _by_key(rows: list[tuple[Any, ...]], n_keys: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:n_keys]: row[n_keys:] for row in rows}


def _zeros(counts: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([0] * BINS if name == "dwell_bins" else 0 for name in counts)


def _words(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _rewrite(cursor: CursorWrapper, round_: Round, table: str) -> None:
    keys, counts, recount = _RECOUNTS[table]
    columns = ", ".join(f'"{name}"' for name in (*keys, *counts))
    more = ", repeats, repeats_agreed, gold, gold_hit" if table == "roundvoter" else ""
    zeros = ", 0, 0, 0, 0" if more else ""
    cursor.execute(f"DELETE FROM ranking_{table} WHERE round_id = %s", [round_.pk])
    cursor.execute(
        f"INSERT INTO ranking_{table} (round_id, {columns}{more})"
        f" {_BALLOTS} SELECT %(round)s, counted.*{zeros} FROM ({recount}) AS counted",
        {"round": round_.pk},
    )
