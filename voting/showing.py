"""Which pairs a voter sees next, and what of them a page may know.

`Pair` is all that templates get: a token, texts, languages. No candidate, position or response id is in it, so no
template can give one away.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.backends.utils import CursorWrapper
from django.utils.safestring import SafeString, mark_safe

from voting import catalogue, scheduler

AT_ONCE = 2  # the pair on the page and the one after it
MINUTES_OPEN = 30


@dataclass(frozen=True)
class Answer:
    html: SafeString


@dataclass(frozen=True)
class Turn:
    """An earlier turn: what was asked, and both answers."""

    prompt_html: SafeString
    left: SafeString
    right: SafeString


@dataclass(frozen=True)
class Pair:
    token: str
    prompt_language: str
    answer_language: str
    system: str
    earlier: list[Turn]
    prompt_html: SafeString
    left: Answer
    right: Answer
    turn_number: int
    content_warning: str
    questions: dict[str, str]


@dataclass(frozen=True)
class Shown:
    """What the voter's page shows: up to two pairs, and how much they have voted."""

    pairs: list[Pair] = field(default_factory=list)
    votes: int = 0

    @property
    def pair(self) -> Pair | None:
        return self.pairs[0] if self.pairs else None

    @property
    def prefetched(self) -> Pair | None:
        return self.pairs[1] if len(self.pairs) > 1 else None


@dataclass(frozen=True)
class _Own:
    """One of the voter's own comparisons."""

    id: int
    round_id: int
    prompt_id: int
    lo: int
    hi: int
    state: str
    token: str
    left: int
    right: int
    live: bool


# 3
_OWN = """
SELECT id, round_id, prompt_id, lo, hi, state, token, left_response_id, right_response_id, expires_at > now()
  FROM voting_comparison WHERE voter_id = %s AND round_id = ANY(%s) ORDER BY id
"""
# 4: no row where the round has begun to close meanwhile; FOR KEY SHARE makes the closing wait for this ballot.
_INSERT = """
INSERT INTO voting_comparison (token, round_id, voter_id, prompt_id, left_response_id, right_response_id, lo, hi,
       lo_is_left, kind, state, policy_version, propensity, expires_at)
SELECT v.token::uuid, r.id, %s, v.prompt, v.left_id, v.right_id, v.lo, v.hi, v.lo_is_left, 'normal', 'open',
       v.policy::int, v.propensity, now() + make_interval(mins => %s)
  FROM (SELECT id FROM voting_round WHERE id = %s AND state = 'open' FOR KEY SHARE) r,
       jsonb_to_recordset(%s::jsonb) AS v(token text, prompt bigint, left_id bigint, right_id bigint, lo int, hi int,
                                          lo_is_left boolean, policy int, propensity float8)
ON CONFLICT DO NOTHING
RETURNING id, round_id, prompt_id, lo, hi, state, token, left_response_id, right_response_id, true
"""
# 5
_TEXTS = """
SELECT 'answer', id, html, NULL, NULL, NULL, NULL FROM generation_response WHERE id = ANY(%s)
UNION ALL
SELECT 'prompt', id, html, language, coalesce(answer_language, language), coalesce(system, ''), content_warning
  FROM generation_prompt WHERE id = ANY(%s)
"""


def next_pairs(
    cursor: CursorWrapper, *, voter_id: int, languages: Sequence[str], first: int | None = None
) -> Shown:
    """Statements 3 to 5 of a ballot: the voter's own comparisons, new ones where fewer than two are open, the texts.

    The caller holds the voter's lock. `first`: the comparison to show first (one that was just reopened).
    """
    rounds = catalogue.open_rounds()
    cursor.execute(_OWN, [voter_id, list(rounds)])
    own = [_Own(*row) for row in cursor.fetchall()]
    opened = [one for one in own if one.state == "open" and one.live]
    if len(opened) < AT_ONCE:
        opened += _make(cursor, voter_id, languages, rounds, own, AT_ONCE - len(opened))
    opened.sort(key=lambda one: (one.id != first, one.id))
    pairs = _with_texts(cursor, opened[:AT_ONCE], rounds)
    return Shown(pairs, votes=sum(one.state == "voted" for one in own))


def _make(
    cursor: CursorWrapper,
    voter_id: int,
    languages: Sequence[str],
    rounds: dict[int, catalogue.OpenRound],
    own: list[_Own],
    wanted: int,
) -> list[_Own]:
    """New comparisons from the first round, in an order drawn by weight, that still has some for this voter."""
    rng = np.random.default_rng(secrets.randbits(64))
    for round_ in _in_drawn_order(rounds, rng):
        mine = [(one.prompt_id, one.lo, one.hi) for one in own if one.round_id == round_.id]
        picks = _pick(round_, mine, languages, min(wanted, round_.ballots_per_voter - len(mine)), rng)
        if picks:
            rows = json.dumps([_row(one) for one in picks])
            cursor.execute(_INSERT, [voter_id, MINUTES_OPEN, round_.id, rows])
            if made := [_Own(*row) for row in cursor.fetchall()]:
                return made
    return []


def _in_drawn_order(
    rounds: dict[int, catalogue.OpenRound], rng: np.random.Generator
) -> list[catalogue.OpenRound]:
    """Weighted sampling without replacement (Efraimidis and Spirakis): largest u^(1/w) first."""
    keyed = [(rng.random() ** (1 / one.weight), one) for one in rounds.values() if one.weight > 0]
    return [one for _, one in sorted(keyed, key=lambda pair: -pair[0])]


def _pick(
    round_: catalogue.OpenRound,
    mine: list[tuple[int, int, int]],
    languages: Sequence[str],
    wanted: int,
    rng: np.random.Generator,
) -> list[scheduler.Pick]:
    read = round_.settings.languages & frozenset(languages)
    picks: list[scheduler.Pick] = []
    for _ in range(max(wanted, 0)):
        one = scheduler.pick(
            catalogue=round_.catalogue,
            policy=round_.policy,
            settings=_for_languages(round_.settings, read),
            seen=scheduler.Seen.of(mine),
            rng=rng,
            coin=lambda: secrets.randbits(53) / 2**53,
        )
        if one is None:
            break
        picks.append(one)
        mine = [*mine, (one.prompt_id, one.lo, one.hi)]
    return picks


def _for_languages(settings: scheduler.Settings, languages: frozenset[str]) -> scheduler.Settings:
    if languages == settings.languages:
        return settings
    return scheduler.Settings(
        settings.goal, settings.floor, settings.top_k, settings.active, languages, settings.allowed
    )


def _row(one: scheduler.Pick) -> dict[str, Any]:
    return {
        "token": str(uuid.uuid4()),
        "prompt": one.prompt_id,
        "left_id": one.left_response,
        "right_id": one.right_response,
        "lo": one.lo,
        "hi": one.hi,
        "lo_is_left": one.lo_is_left,
        "policy": one.policy_version,
        "propensity": one.propensity,
    }


def _with_texts(
    cursor: CursorWrapper, opened: list[_Own], rounds: dict[int, catalogue.OpenRound]
) -> list[Pair]:
    if not opened:
        return []
    responses = [response for one in opened for response in (one.left, one.right)]
    cursor.execute(_TEXTS, [responses, [one.prompt_id for one in opened]])
    texts = {(row[0], row[1]): row for row in cursor.fetchall()}
    return [_pair(one, texts, rounds[one.round_id].questions) for one in opened]


def _pair(one: _Own, texts: dict[tuple[str, int], tuple[Any, ...]], questions: dict[str, str]) -> Pair:
    prompt = texts["prompt", one.prompt_id]
    asked, left, right = (
        _html(texts[key][2])
        for key in (("prompt", one.prompt_id), ("answer", one.left), ("answer", one.right))
    )
    return Pair(
        token=str(one.token),
        prompt_language=prompt[3],
        answer_language=prompt[4],
        system=prompt[5],
        earlier=[Turn(*turn) for turn in zip(asked[:-1], left[:-1], right[:-1], strict=True)],
        prompt_html=asked[-1],
        left=Answer(left[-1]),
        right=Answer(right[-1]),
        turn_number=len(asked),
        content_warning=prompt[6],
        questions=questions,
    )


def _html(stored: str) -> list[SafeString]:
    """Rendered and sanitised when it was inserted (generation.render)."""
    return [mark_safe(part) for part in json.loads(stored)]  # noqa: S308
