"""Answers to one prompt that read the same. They are written down when a round opens and when answers come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from rapidfuzz import fuzz

from generation.models import Response
from generation.normal import normal_form
from voting.models import Round, RoundCandidate, Twin

NEAR = 0.95


class Answer(NamedTuple):
    id: int
    candidate_id: int
    norm_sha: str
    text: str


def write(*, round: Round, prompt_ids: Iterable[int]) -> int:
    """Find the twins among the answers to these prompts; how many are new. Two samples of one candidate are none."""
    candidates = RoundCandidate.objects.filter(round=round).values_list("candidate_id", flat=True)
    new = 0
    for prompt_id in prompt_ids:
        rows = Response.objects.filter(
            prompt_id=prompt_id, candidate__in=list(candidates), hidden_at__isnull=True
        ).values_list("id", "candidate_id", "norm_sha", "turns")
        answers = [Answer(*row[:3], _text(row[3])) for row in rows.order_by("id")]
        known = set(
            Twin.objects.filter(prompt_id=prompt_id).values_list("low_response_id", "high_response_id")
        )
        found = [
            Twin(prompt_id=prompt_id, low_response_id=low, high_response_id=high, ratio=ratio)
            for low, high, ratio in pairs_of(answers)
            if (low, high) not in known
        ]
        Twin.objects.bulk_create(found, ignore_conflicts=True)
        new += len(found)
    return new


def pairs_of(answers: Sequence[Answer]) -> Iterator[tuple[int, int, float]]:
    """(lower id, higher id, ratio) of twins; `answers` are in order of id."""
    for low, high in combinations(answers, 2):
        if low.candidate_id == high.candidate_id:
            continue
        if low.norm_sha == high.norm_sha:
            yield low.id, high.id, 1.0
        # 100 for equal texts; below the cut-off it stops early and says 0
        elif ratio := fuzz.ratio(low.text, high.text, score_cutoff=100 * NEAR):
            yield low.id, high.id, ratio / 100


def _text(turns: list[dict[str, Any]]) -> str:
    return "\0".join(normal_form(turn["text"]) for turn in turns)
