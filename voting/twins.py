"""Responses to one prompt that read the same. They are never paired: a choice between them says nothing."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rapidfuzz import fuzz

from generation.models import Prompt, Response
from generation.normal import normal_form
from voting.models import Twin

NEAR = 0.95


def find(*, prompts: Sequence[Prompt], candidate_ids: Sequence[int]) -> int:
    """Write the twins among these candidates' responses to Twin; returns how many are new."""
    by_prompt: dict[int, list[tuple[int, str]]] = defaultdict(list)
    responses = Response.objects.filter(prompt__in=prompts, candidate__in=candidate_ids).order_by("id")
    for response_id, prompt_id, turns in responses.values_list("id", "prompt_id", "turns"):
        by_prompt[prompt_id].append((response_id, "\n".join(normal_form(turn["text"]) for turn in turns)))
    found = [
        Twin(prompt_id=prompt_id, low_response_id=low, high_response_id=high, ratio=ratio)
        for prompt_id, texts in by_prompt.items()
        for low, high, ratio in _alike(texts)
    ]
    before = Twin.objects.filter(prompt__in=prompts).count()
    Twin.objects.bulk_create(found, ignore_conflicts=True, batch_size=1000)
    return Twin.objects.filter(prompt__in=prompts).count() - before


def _alike(texts: list[tuple[int, str]]) -> Iterator[tuple[int, int, float]]:
    for (low, a), (high, b) in itertools.combinations(texts, 2):
        # Lengths alone rule most pairs out before the slow comparison.
        if min(len(a), len(b)) < (2 * NEAR - 1) * max(len(a), len(b)):
            continue
        ratio = 1.0 if a == b else fuzz.ratio(a, b, score_cutoff=100 * NEAR) / 100
        if ratio >= NEAR:
            yield low, high, ratio
