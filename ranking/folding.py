"""Queued ballots become sums: VoterTally, PromptTally, RoundVoter. Nothing else writes these three.

A ballot is counted once because its queue row is deleted once, in the transaction that counts it. What is read of a
ballot and of its voter is read by the statement that deletes the row, so in one snapshot.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from ranking.ballots import BINS, HABIT_COUNTS, PROMPT_COUNTS, VOTER_COUNTS, Ballot, Deltas
from voting.models import Round

ROUND_SPACE = 73_002  # advisory locks on a round's sums
AT_ONCE = 5_000


@dataclass
class FoldResult:
    """How many queue rows were folded, and which keys of the tallies changed."""

    ballots: int = 0
    voter_keys: set[tuple[Any, ...]] = field(default_factory=set)
    prompt_keys: set[tuple[Any, ...]] = field(default_factory=set)


def fold(*, round: Round) -> FoldResult:
    """Fold everything that is queued for the round, in batches of one transaction each."""
    result = FoldResult()
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            lock(cursor, round.pk)
            taken = _take(cursor, round.pk)
            if taken:
                deltas = _deltas(cursor, round.pk, taken)
                apply(cursor, round.pk, deltas)
                result.ballots += sum(not row.standing for row in taken)
                result.voter_keys |= {key for (key, _), n in deltas.voters.items() if n}
                result.prompt_keys |= {key for (key, _), n in deltas.prompts.items() if n}
        if sum(not row.standing for row in taken) < AT_ONCE:
            return result


def lock(cursor: CursorWrapper, round_id: int) -> None:
    """One fold, recount or refresh of a round at a time."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashint8extended(%s, %s))", [round_id, ROUND_SPACE])


# Of a voter with an exclude or readmit queued, and of an excluded one, all queue rows are taken at once, and with them
# (part 1) the ballots that stand, from the same snapshot: see _settle.
_TAKE = """
WITH batch AS (
    SELECT id, voter_id FROM voting_ballotqueue WHERE round_id = %(round)s ORDER BY id LIMIT %(most)s
), special AS (
    SELECT DISTINCT q.voter_id FROM voting_ballotqueue q JOIN voting_voter w ON w.id = q.voter_id
     WHERE q.round_id = %(round)s AND q.voter_id IN (SELECT voter_id FROM batch)
       AND (q.kind IN ('exclude', 'readmit') OR w.excluded_at IS NOT NULL)
), taken AS (
    DELETE FROM voting_ballotqueue q WHERE q.round_id = %(round)s AND (
        q.id IN (SELECT id FROM batch) OR q.voter_id IN (SELECT voter_id FROM special))
    RETURNING q.id, q.voter_id, q.kind, q.comparison_id, q.vote_id
), ballots AS (
    SELECT 0 AS part, t.id, t.kind, t.voter_id, t.comparison_id, v.outcome, v.dwell_ms
      FROM taken t LEFT JOIN voting_vote v ON v.id = t.vote_id
    UNION ALL
    SELECT 1, c.id, CASE c.state WHEN 'skipped' THEN 'skip' WHEN 'reported' THEN 'report' ELSE c.state END,
           c.voter_id, c.id, v.outcome, v.dwell_ms
      FROM voting_comparison c JOIN special ON special.voter_id = c.voter_id
      LEFT JOIN voting_vote v ON v.comparison_id = c.id AND v.undone_at IS NULL
     WHERE c.round_id = %(round)s AND c.state IN ('voted', 'skipped', 'cannot_judge', 'reported')
)
SELECT b.part, b.kind, b.voter_id, b.voter_id IN (SELECT voter_id FROM special), w.excluded_at IS NOT NULL,
       p.language, c.prompt_id, w."group" = 'insider', c.lo, c.hi, c.lo_is_left, b.outcome, b.dwell_ms
  FROM ballots b JOIN voting_voter w ON w.id = b.voter_id
  LEFT JOIN voting_comparison c ON c.id = b.comparison_id AND c.kind = 'normal'
  LEFT JOIN generation_prompt p ON p.id = c.prompt_id
 ORDER BY b.part, b.id
"""


@dataclass(frozen=True)
class _Taken:
    standing: bool  # not from the queue: what stands of a voter who is excluded or readmitted
    kind: str
    voter: int
    special: bool
    excluded: bool
    ballot: Ballot | None  # None for exclude and readmit, and for what is not counted in the tallies


def _take(cursor: CursorWrapper, round_id: int) -> list[_Taken]:
    cursor.execute(_TAKE, {"round": round_id, "most": AT_ONCE})
    return [_taken(*row) for row in cursor.fetchall()]


def _taken(part: int, kind: str, voter: int, special: bool, excluded: bool, *rest: Any) -> _Taken:
    language, prompt, insider, lo, hi, lo_is_left, outcome, dwell_ms = rest
    ballot = None
    if prompt is not None:
        ballot = Ballot(voter, language, prompt, insider, lo, hi, lo_is_left, outcome or kind, dwell_ms)
    return _Taken(part == 1, kind, voter, special, excluded, ballot)


def _deltas(cursor: CursorWrapper, round_id: int, taken: Sequence[_Taken]) -> Deltas:
    deltas = Deltas()
    special: dict[int, list[_Taken]] = defaultdict(list)
    for row in taken:
        if row.special:
            special[row.voter].append(row)
        elif row.ballot:
            deltas.add([row.ballot], -1 if row.kind == "undo" else 1)
    for voter, rows in special.items():
        _settle(deltas, rows, counted=_is_counted(cursor, round_id, voter))
    return deltas


def _settle(deltas: Deltas, rows: Sequence[_Taken], *, counted: bool) -> None:
    """An excluded or readmitted voter: take out what was counted of them, put in what should be.

    Counted before are the ballots that stand now, less what was still queued, if anything was counted at all.
    """
    for row in rows:
        if row.ballot is None:
            continue
        if row.standing:
            deltas.add([row.ballot], (not row.excluded) - counted)
        elif counted:
            deltas.add([row.ballot], -1 if row.kind == "undo" else 1)


def _is_counted(cursor: CursorWrapper, round_id: int, voter: int) -> bool:
    cursor.execute(
        'SELECT "left" + "right" + ties + both_bad + skips > 0 FROM ranking_roundvoter'
        " WHERE round_id = %s AND voter_id = %s",
        [round_id, voter],
    )
    row = cursor.fetchone()
    return bool(row and row[0])


# Applying --------------------------------------------------------------------------------------------------------

_BIN_COUNTS = tuple(f"bin{k}" for k in range(1, BINS + 1))


@dataclass(frozen=True)
class _Table:
    name: str
    keys: dict[str, str]  # column: type
    counts: tuple[str, ...]


_VOTERS = _Table(
    "ranking_votertally", {"voter_id": "bigint", "language": "text", "lo": "int", "hi": "int"}, VOTER_COUNTS
)
_PROMPTS = _Table(
    "ranking_prompttally",
    {"prompt_id": "bigint", "insider": "bool", "lo": "int", "hi": "int", "lo_is_left": "bool"},
    PROMPT_COUNTS,
)
_HABITS = _Table("ranking_roundvoter", {"voter_id": "bigint"}, HABIT_COUNTS)


def apply(cursor: CursorWrapper, round_id: int, deltas: Deltas) -> None:
    """Add the deltas, in key order: zero rows first where there are none, then one UPDATE (a negative delta in an
    INSERT would break the CHECK before the conflict is seen)."""
    _apply(cursor, round_id, _VOTERS, deltas.voters)
    _apply(cursor, round_id, _PROMPTS, deltas.prompts)
    _apply(cursor, round_id, _HABITS, deltas.habits)


def _apply(
    cursor: CursorWrapper, round_id: int, table: _Table, deltas: Counter[tuple[tuple[Any, ...], str]]
) -> None:
    counts = (*table.counts, *(_BIN_COUNTS if table is _HABITS else ()))
    rows: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for (key, column), n in deltas.items():
        if n:
            rows[key][column] = n
    if not rows:
        return
    sent = [dict(zip(table.keys, key, strict=True)) | changes for key, changes in sorted(rows.items())]
    cursor.execute(_insert_sql(table), [round_id, json.dumps(sent)])
    cursor.execute(_update_sql(table, counts), [json.dumps(sent), round_id])


def _recordset(table: _Table, counts: Sequence[str] = ()) -> str:
    columns = [
        *(f"{name} {kind}" for name, kind in table.keys.items()),
        *(f'"{name}" int' for name in counts),
    ]
    return f"jsonb_to_recordset(%s::jsonb) AS d({', '.join(columns)})"


def _insert_sql(table: _Table) -> str:
    """Zero rows for the keys that are not there yet."""
    counts = ", ".join(f'"{name}"' for name in table.counts)
    zeros = ", ".join("0" for _ in table.counts)
    more, more_zeros = _defaults(table)
    keys = ", ".join(table.keys)
    from_rows = f"FROM (SELECT %s::bigint AS round_id) r, {_recordset(table)}"
    return (
        f"INSERT INTO {table.name} (round_id, {keys}, {counts}{more}) "
        f"SELECT r.round_id, {', '.join('d.' + key for key in table.keys)}, {zeros}{more_zeros} {from_rows} "
        "ON CONFLICT DO NOTHING"
    )


def _defaults(table: _Table) -> tuple[str, str]:
    if table is not _HABITS:
        return "", ""
    return (
        ", repeats, repeats_agreed, gold, gold_hit, dwell_bins",
        f", 0, 0, 0, 0, array_fill(0, ARRAY[{BINS}])",
    )


def _update_sql(table: _Table, counts: Sequence[str]) -> str:
    sets = [f'"{name}" = t."{name}" + coalesce(d."{name}", 0)' for name in table.counts]
    if table is _HABITS:
        bins = ", ".join(f"t.dwell_bins[{k}] + coalesce(d.bin{k}, 0)" for k in range(1, BINS + 1))
        sets.append(f"dwell_bins = ARRAY[{bins}]")
    matches = " AND ".join(f"t.{key} = d.{key}" for key in table.keys)
    return (
        f"UPDATE {table.name} t SET {', '.join(sets)} FROM {_recordset(table, counts)} "
        f"WHERE t.round_id = %s AND {matches}"
    )
