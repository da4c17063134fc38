"""The pairs on a voter's table: the one to answer now and the one after it; new ones are dealt as they run out."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from django.db import connection

from voting import catalogue, scheduler
from voting.voters import Known

ON_TABLE = 2
LIFETIME = "30 minutes"


class Own(NamedTuple):
    """One comparison of this voter. `live`: it can be voted on."""

    token: uuid.UUID
    round_id: int
    prompt_id: int
    lo: int
    hi: int
    left_response: int
    right_response: int
    live: bool
    voted: bool


@dataclass(frozen=True)
class Table:
    """`pairs`: at most two, the one to show first. `votes`: how many this voter has cast in the rounds of today.

    `empty`: why there is nothing to show: none_open, exhausted, closed; None where there is a pair.
    """

    pairs: tuple[Own, ...]
    votes: int
    empty: str | None


def lay(*, voter: Known, invited: Collection[str] = ()) -> Table:
    """Read what this voter has, deal what is missing. Two statements, one when nothing is dealt."""
    offered = [live for live in catalogue.rounds().values() if not live.invited_only or live.slug in invited]
    own = _own(voter, [live.id for live in offered])
    open_ = [one for one in own if one.live]
    if len(open_) < ON_TABLE:
        open_ += _deal(voter, [live for live in offered if live.open], own, ON_TABLE - len(open_))
    votes = sum(one.voted for one in own)
    empty = None if open_ else _why_empty(offered)
    return Table(tuple(open_[:ON_TABLE]), votes, empty)


def _why_empty(offered: Sequence[catalogue.Live]) -> str:
    if not offered:
        return "none_open"
    return "exhausted" if any(live.open for live in offered) else "closed"


_OWN = """
SELECT token, round_id, prompt_id, lo, hi, left_response_id, right_response_id,
       state = 'open' AND expires_at > now(), state = 'voted'
  FROM voting_comparison WHERE voter_id = %s AND (round_id = ANY(%s) OR state = 'open')
 ORDER BY id
"""


def _own(voter: Known, round_ids: list[int]) -> list[Own]:
    """This voter's comparisons, oldest first: at most `ballots_per_voter` of each round, so the read is bounded."""
    with connection.cursor() as cursor:
        cursor.execute(_OWN, [voter.id, round_ids])
        return [Own(*row) for row in cursor.fetchall()]


def _deal(voter: Known, rounds: Sequence[catalogue.Live], own: Sequence[Own], missing: int) -> list[Own]:
    """Pick and insert up to `missing` pairs. A round that has closed since the last poll is left out and passed by."""
    dealt: list[Own] = []
    seen = list(own)
    while rounds and len(dealt) < missing:
        picks = _picks(voter, rounds, seen, missing - len(dealt))
        if not picks:
            break
        made = _insert(voter, picks)
        dealt += made
        seen += made
        refused = {round_id for round_id, _ in picks} - {one.round_id for one in made}
        if not refused:
            break
        rounds = [live for live in rounds if live.id not in refused]
    return dealt


def _picks(
    voter: Known, rounds: Sequence[catalogue.Live], own: Sequence[Own], missing: int
) -> list[tuple[int, scheduler.Pick]]:
    """(round id, pick); rounds by weight, the next one where a round has nothing left for this voter."""
    rng = np.random.default_rng()
    seen = {live.id: [(o.prompt_id, o.lo, o.hi) for o in own if o.round_id == live.id] for live in rounds}
    left = [live for live in rounds if live.weight > 0]
    picks: list[tuple[int, scheduler.Pick]] = []
    while left and len(picks) < missing:
        weights = np.array([live.weight for live in left])
        live = left[int(rng.choice(len(left), p=weights / weights.sum()))]
        pick = _pick(voter, live, seen[live.id], rng)
        if pick is None:
            left.remove(live)
            continue
        seen[live.id].append((pick.prompt_id, pick.lo, pick.hi))
        picks.append((live.id, pick))
    return picks


def _pick(
    voter: Known, live: catalogue.Live, seen: list[tuple[int, int, int]], rng: np.random.Generator
) -> scheduler.Pick | None:
    if live.catalogue is None or live.settings is None or len(seen) >= live.ballots_per_voter:
        return None
    return scheduler.pick(
        catalogue=live.catalogue,
        policy=None if live.policy_is_stale else live.policy,
        settings=replace(live.settings, languages=voter.reads),
        seen=scheduler.Seen.of(seen),
        rng=rng,
        coin=_coin,
    )


def _coin() -> float:
    """Uniform on [0, 1), not to be foretold."""
    return secrets.randbits(53) / 2**53


# FOR KEY SHARE waits for who is closing the round, and who closes it waits for us.
_INSERT = f"""
WITH r AS (SELECT id FROM voting_round WHERE id = ANY(%(rounds)s) AND state = 'open' FOR KEY SHARE)
INSERT INTO voting_comparison (token, round_id, voter_id, prompt_id, left_response_id, right_response_id, lo, hi,
                               lo_is_left, kind, state, policy_version, propensity, expires_at)
SELECT n.token, r.id, %(voter)s, n.prompt, n.left_response, n.right_response, n.lo, n.hi,
       n.lo_is_left, 'normal', 'open', n.version, n.propensity, now() + interval '{LIFETIME}'
  FROM unnest(%(tokens)s::uuid[], %(rounds)s::bigint[], %(prompts)s::bigint[],
              %(lefts)s::bigint[], %(rights)s::bigint[], %(los)s::int[],
              %(his)s::int[], %(lo_is_left)s::bool[], %(versions)s::int[], %(propensities)s::float8[])
       WITH ORDINALITY
       AS n(token, round, prompt, left_response, right_response, lo, hi, lo_is_left, version, propensity, place)
  JOIN r ON r.id = n.round
 ORDER BY n.place
ON CONFLICT DO NOTHING
RETURNING token, round_id, prompt_id, lo, hi, left_response_id, right_response_id, true, false
"""


def _insert(voter: Known, picks: Sequence[tuple[int, scheduler.Pick]]) -> list[Own]:
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "voter": voter.id,
                "tokens": [uuid.uuid4() for _ in picks],
                "rounds": [round_id for round_id, _ in picks],
                "prompts": [pick.prompt_id for _, pick in picks],
                "lefts": [pick.left_response for _, pick in picks],
                "rights": [pick.right_response for _, pick in picks],
                "los": [pick.lo for _, pick in picks],
                "his": [pick.hi for _, pick in picks],
                "lo_is_left": [pick.lo_is_left for _, pick in picks],
                "versions": [pick.policy_version for _, pick in picks],
                "propensities": [pick.propensity for _, pick in picks],
            },
        )
        return [Own(*row) for row in cursor.fetchall()]
