"""`manage.py open_round --slug SLUG --sets SET…`."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.models import Candidate, PromptSet
from voting import rounds
from voting.errors import RoundError
from voting.models import Twin


class Command(BaseCommand):
    help = "Open a round of blind comparison on the candidates that have answers to these prompt sets."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--slug", required=True)
        parser.add_argument("--sets", nargs="+", required=True, metavar="SET")
        parser.add_argument(
            "--candidates", nargs="+", metavar="LABEL", help="labels or patterns such as 'v1.2*'"
        )
        parser.add_argument("--name", default="")
        parser.add_argument("--goal", default="best", choices=["coverage", "best", "top_k", "release"])
        parser.add_argument("--kind", default="human", choices=["human", "simulated"])
        parser.add_argument("--languages", nargs="+", default=["ja", "en"], choices=["ja", "en"])
        parser.add_argument("--floor", type=float, default=0.2, help="share of the pairs drawn uniformly")
        parser.add_argument("--target-votes", type=int, help="begin to close at this many votes")

    def handle(
        self, *args: Any, slug: str, sets: list[str], candidates: list[str] | None, **options: Any
    ) -> None:
        prompt_sets = [_prompt_set(one) for one in sets]
        chosen = _candidates(prompt_sets, candidates)
        fields = {key: options[key] for key in ("name", "goal", "kind", "languages", "floor", "target_votes")}
        try:
            round_ = rounds.open_round(slug=slug, candidates=chosen, prompt_sets=prompt_sets, **fields)
        except RoundError as error:
            raise CommandError(str(error)) from error
        twins = Twin.objects.filter(prompt__set__in=prompt_sets).count()
        self.stdout.write(
            f"Round {round_.slug} is open: {len(chosen)} candidates, {len(round_.prompt_weights)} prompts, "
            f"goal {round_.goal}; {twins} pairs of answers read the same and are never shown."
        )


def _prompt_set(slug: str) -> PromptSet:
    try:
        return PromptSet.objects.get(slug=slug)
    except PromptSet.DoesNotExist as error:
        known = ", ".join(PromptSet.objects.order_by("slug").values_list("slug", flat=True)) or "none"
        raise CommandError(
            f"There is no prompt set {slug!r}. Known: {known}. Import one: import_prompts."
        ) from error


def _candidates(prompt_sets: list[PromptSet], patterns: list[str] | None) -> list[Candidate]:
    """Those that have answers to these prompts, oldest first; all of them unless patterns say otherwise."""
    answering = Candidate.objects.filter(
        responses__prompt__set__in=prompt_sets, kind="model", retired_at=None
    )
    found = list(answering.distinct().order_by("id"))
    if patterns is None:
        return found
    for pattern in patterns:
        if not any(fnmatch(one.label, pattern) for one in found):
            labels = ", ".join(one.label for one in found) or "none"
            raise CommandError(f"No candidate with answers is called {pattern!r}. There are: {labels}.")
    return [one for one in found if any(fnmatch(one.label, pattern) for pattern in patterns)]
