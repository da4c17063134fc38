"""The smallest valid rows, made by the verbs where there is one."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from generation import candidates, prompts, responses
from generation.models import Candidate, Checkpoint, Manifest, Prompt, PromptSet, Response
from voting import rounds
from voting.models import Comparison, Round, RoundCandidate, Voter

_counter = itertools.count(1)


def _n() -> int:
    return next(_counter)


def make_checkpoint(name: str = "", **fields: Any) -> Checkpoint:
    fields = {"source": "imported", **fields}
    return Checkpoint.objects.create(name=name or f"checkpoint-{_n()}", **fields)


def make_candidate(label: str = "", checkpoint: Checkpoint | None = None, **fields: Any) -> Candidate:
    label = label or f"candidate-{_n()}"
    fields.setdefault("sampler", {"temperature": 0.5})
    return candidates.register(checkpoint=checkpoint or make_checkpoint(), label=label, **fields)


def make_prompt_set(slug: str = "") -> PromptSet:
    return PromptSet.objects.create(slug=slug or f"set-{_n()}", licence="Apache-2.0")


def make_prompt(
    prompt_set: PromptSet | None = None, text: str = "", language: str = "en", **fields: Any
) -> Prompt:
    key = f"prompt-{_n()}"
    fields = {
        "key": key,
        "concept": key,
        "category": "writing",
        "messages": [{"role": "user", "content": text or f"Say {key}."}],
        **fields,
    }
    return prompts.add_prompt(prompt_set=prompt_set or make_prompt_set(), language=language, **fields)


def make_response(
    candidate: Candidate, prompt: Prompt, text: str = "", sample: int = 0, **fields: Any
) -> Response:
    text = text or f"Answer number {_n()} {secrets.token_hex(8)}."
    turns = [{"text": text, "tokens": 8, "finish": "stop"}] * prompt.turns
    fields = {"turns": turns, "manifest": {"made_by": "a test"}, **fields}
    made = responses.store(candidate=candidate, prompt=prompt, sample=sample, **fields)
    assert made is not None, "this candidate has that sample already"
    return made


def make_arena(
    *, n_candidates: int = 3, n_prompts: int = 4, languages: Sequence[str] = ("ja", "en"), **fields: Any
) -> Round:
    """An open round in which every candidate has one answer to every prompt (`n_prompts` a language)."""
    prompt_set = make_prompt_set()
    made = [make_candidate() for _ in range(n_candidates)]
    for language, _ in itertools.product(languages, range(n_prompts)):
        prompt = make_prompt(prompt_set, language=language)
        for candidate in made:
            make_response(candidate, prompt)
    return make_round(made, [prompt_set], languages=tuple(languages), **fields)


def make_round(of: Sequence[Candidate], prompt_sets: Sequence[PromptSet], **fields: Any) -> Round:
    return rounds.open_round(
        slug=f"round-{_n()}", candidates=list(of), prompt_sets=list(prompt_sets), **fields
    )


def make_voter(**fields: Any) -> Voter:
    fields = {"key_digest": secrets.token_hex(32), "languages": {"ja": "fluent", "en": "fluent"}, **fields}
    return Voter.objects.create(**fields)


def make_comparison(
    round_: Round, voter: Voter, prompt: Prompt, lo: int, hi: int, *, lo_is_left: bool = True, **fields: Any
) -> Comparison:
    """An open comparison of the candidates at two positions, their first samples."""
    at = {rc.position: rc.candidate_id for rc in RoundCandidate.objects.filter(round=round_)}
    low, high = (Response.objects.get(candidate=at[p], prompt=prompt, sample=0) for p in (lo, hi))
    left, right = (low, high) if lo_is_left else (high, low)
    fields = {"propensity": 0.5, "expires_at": timezone.now() + timedelta(minutes=30), **fields}
    return Comparison.objects.create(
        round=round_, voter=voter, prompt=prompt, left_response=left, right_response=right,
        lo=lo, hi=hi, lo_is_left=lo_is_left, **fields,
    )  # fmt: skip


def cast_directly(comparison: Comparison, outcome: str) -> int:
    """A vote and its queue row without the page: what ranking sees of a cast. Returns the vote's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH c AS (UPDATE voting_comparison SET state = 'voted', ended_at = now() WHERE id = %s RETURNING id),"
            " v AS (INSERT INTO voting_vote (comparison_id, outcome, reasons, comment, input, ui_language)"
            "       SELECT id, %s, '{}', '', '', '' FROM c RETURNING id, comparison_id),"
            " q AS (INSERT INTO voting_ballotqueue (round_id, voter_id, comparison_id, vote_id, kind)"
            "       SELECT %s, %s, comparison_id, id, 'cast' FROM v)"
            " SELECT id FROM v",
            [comparison.id, outcome, comparison.round_id, comparison.voter_id],
        )
        return int(cursor.fetchone()[0])


def cast_many(
    round_: Round, voter: Voter, outcome_of: Callable[[Comparison], str], *, limit: int = 10_000
) -> int:
    """One vote of `voter` on every pair of every prompt (up to `limit`). Returns how many."""
    positions = list(RoundCandidate.objects.filter(round=round_).values_list("position", flat=True))
    asked = Prompt.objects.filter(set__roundpromptset__round=round_).order_by("id")
    chosen = itertools.islice(itertools.product(asked, itertools.combinations(positions, 2)), limit)
    done = 0
    for prompt, (lo, hi) in chosen:
        comparison = make_comparison(round_, voter, prompt, lo, hi, lo_is_left=done % 2 == 0)
        cast_directly(comparison, outcome_of(comparison))
        done += 1
    return done


def make_manifest(**body: Any) -> Manifest:
    return Manifest.objects.create(sha256=secrets.token_hex(32), body=body)
