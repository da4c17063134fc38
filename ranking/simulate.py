"""Simulated votes, so that the whole dashboard can be seen before anybody has voted. Rounds of kind `simulated` only.

Voter v prefers i over j by theta_i - theta_j + the voter's taste (sd `HET`) + the prompt's (sd `TAU`); ties after
Davidson (1970) at about a quarter of the votes; activity is log-normal, so that few voters give most votes.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from django.db import connection, transaction
from django.utils import timezone
from numpy.typing import NDArray

from ranking import loop
from ranking.errors import RankingError
from voting import catalogue, scheduler
from voting.models import Comparison, Round, Voter

HET = TAU = 0.3
SPREAD_ELO = 100.0
TIE = 0.65  # Davidson's nu
ACTIVITY = 1.3
BETWEEN_REFRESHES = 200
READ = (0.45, 0.2, 0.35)  # Japanese only, English only, both


@dataclass(frozen=True)
class World:
    """What is true: strengths f8[n], voters' tastes f8[voters, n], prompts' f8[m, n], activity f8[voters]."""

    theta: NDArray[np.float64]
    taste: NDArray[np.float64]
    prompt: NDArray[np.float64]
    activity: NDArray[np.float64]


def make_world(n: int, n_voters: int, n_prompts: int, rng: np.random.Generator) -> World:
    activity = rng.lognormal(0, ACTIVITY, n_voters)
    return World(
        rng.normal(0, SPREAD_ELO * np.log(10) / 400, n),
        rng.normal(0, HET, (n_voters, n)),
        rng.normal(0, TAU, (n_prompts, n)),
        activity / activity.sum(),
    )


def outcome(gap: float, rng: np.random.Generator) -> str:
    """lo, hi, tie or both_bad for theta_lo - theta_hi = gap."""
    weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), TIE])
    drawn = int(rng.choice(3, p=weights / weights.sum()))
    return ("lo", "hi", "both_bad" if rng.random() < 0.3 else "tie")[drawn]


def simulate(*, round: Round, votes: int, voters: int, seed: int = 1) -> int:
    """Cast `votes` votes of `voters` new voters, in batches between which the ranking is refreshed. Returns how many.

    Fewer than asked where the voters have seen every pair.
    """
    _check(round, votes, voters)
    rng = np.random.default_rng([seed, round.pk])
    known, options = catalogue.load(round), catalogue.settings(round)
    world = make_world(len(options.active), voters, len(known.prompts), rng)
    people = Voter.objects.bulk_create(
        Voter(key_digest=secrets.token_hex(32), group=Voter.Group.SIMULATED) for _ in range(voters)
    )
    reads = _reads(round, voters, rng)
    seen: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    done = 0
    while done < votes and world.activity.any():
        share = world.activity / world.activity.sum()
        drawn = rng.choice(voters, size=min(BETWEEN_REFRESHES, votes - done), p=share)
        policy = catalogue.policy(round, known)
        batch = _batch(round, known, options, policy, world, people, reads, drawn, seen, rng)
        if batch and not _write(round, batch):
            break
        done += len(batch)
        loop.update(round=round)
    return done


def _check(round_: Round, votes: int, voters: int) -> None:
    if round_.kind != Round.Kind.SIMULATED:
        raise RankingError(
            f"Round {round_.slug!r} is of kind {round_.kind!r}: simulated votes would mix with people's. "
            "Open one for them: manage.py open_round --kind simulated"
        )
    if round_.state != Round.State.OPEN:
        raise RankingError(f"Round {round_.slug!r} is {round_.state}: only an open round takes votes.")
    if votes < 1 or voters < 1:
        raise RankingError(f"votes={votes}, voters={voters}: ask for at least one of each.")


def _reads(round_: Round, voters: int, rng: np.random.Generator) -> list[frozenset[str]]:
    """What each voter reads: in a round of both languages some read only one, as people do."""
    both = frozenset({"ja", "en", catalogue.BOTH})
    if len(set(round_.languages)) < 2:
        return [both] * voters
    kinds = [frozenset({"ja"}), frozenset({"en"}), both]
    return [kinds[k] for k in rng.choice(3, size=voters, p=READ)]


def _batch(
    round_: Round, known: scheduler.Catalogue, options: scheduler.Settings, policy: scheduler.Policy | None,
    world: World, people: list[Voter], reads: list[frozenset[str]],
    drawn: NDArray[np.int64], seen: dict[int, list[tuple[int, int, int]]],
    rng: np.random.Generator,
) -> list[tuple[Comparison, str, int]]:  # fmt: skip
    index = {int(prompt): k for k, prompt in enumerate(known.prompts)}
    batch = []
    for v in map(int, drawn):
        one = scheduler.pick(
            catalogue=known,
            policy=policy,
            settings=replace(options, languages=reads[v]),
            seen=scheduler.Seen.of(seen[v]),
            rng=rng,
            coin=rng.random,
        )
        if one is None:
            world.activity[v] = 0  # has seen every pair
            continue
        seen[v].append((one.prompt_id, one.lo, one.hi))
        worth = world.theta + world.taste[v] + world.prompt[index[one.prompt_id]]
        said = outcome(float(worth[one.lo] - worth[one.hi]), rng)
        if said in ("lo", "hi"):
            said = "left" if (said == "lo") == one.lo_is_left else "right"
        batch.append((_comparison(round_, people[v], one), said, int(rng.lognormal(9.6, 0.7))))
    return batch


def _comparison(round_: Round, voter: Voter, one: scheduler.Pick) -> Comparison:
    return Comparison(
        round=round_, voter=voter, prompt_id=one.prompt_id, left_response_id=one.left_response,
        right_response_id=one.right_response, lo=one.lo, hi=one.hi, lo_is_left=one.lo_is_left,
        policy_version=one.policy_version, propensity=one.propensity,
    )  # fmt: skip


_END = """
WITH said AS (SELECT * FROM jsonb_to_recordset(%(said)s::jsonb) AS s(id bigint, outcome text, dwell_ms int)),
c AS (UPDATE voting_comparison SET state = 'voted', ended_at = now() FROM said WHERE voting_comparison.id = said.id
      RETURNING voting_comparison.id, round_id, voter_id, outcome, dwell_ms),
v AS (INSERT INTO voting_vote (comparison_id, outcome, reasons, comment, dwell_ms, input, ui_language)
      SELECT id, outcome, '{}', '', dwell_ms, '', '' FROM c RETURNING id, comparison_id)
INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)
SELECT c.round_id, c.voter_id, c.id, v.id, 'cast' FROM v JOIN c ON c.id = v.comparison_id
"""


def _write(round_: Round, batch: list[tuple[Comparison, str, int]]) -> bool:
    """False where the round is no longer open: it may have its votes, or its winner."""
    for comparison, _, _ in batch:
        comparison.expires_at = timezone.now() + timedelta(minutes=30)
    with transaction.atomic(), connection.cursor() as cursor:
        # As a ballot does: who closes the round waits for us, and we for them.
        cursor.execute(
            "SELECT id FROM voting_round WHERE id = %s AND state = 'open' FOR KEY SHARE", [round_.pk]
        )
        if cursor.fetchone() is None:
            return False
        made = Comparison.objects.bulk_create([one for one, _, _ in batch])
        said = [
            {"id": comparison.pk, "outcome": said, "dwell_ms": dwell}
            for comparison, (_, said, dwell) in zip(made, batch, strict=True)
        ]
        cursor.execute(_END, {"said": json.dumps(said)})
    return True
