from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.models import Candidate, PromptSet
from voting import rounds
from voting.errors import VotingError
from voting.models import Round, Twin


class Command(BaseCommand):
    help = "Open a round of blind comparison: candidates × prompt sets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", default="")
        parser.add_argument("--prompts", nargs="+", required=True, metavar="SET", help="slugs of prompt sets")
        parser.add_argument(
            "--candidates",
            nargs="+",
            metavar="LABEL",
            help="default: all with an answer to one of the prompts",
        )
        parser.add_argument("--goal", default="best", choices=Round.Goal.values)
        parser.add_argument("--kind", default="human", choices=Round.Kind.values)
        parser.add_argument("--languages", nargs="+", default=["ja", "en"])
        parser.add_argument("--floor", type=float, default=0.2, help="share of uniform pairs, 0 to 1")
        parser.add_argument("--target-votes", type=int)
        parser.add_argument("--match-sampler", action="store_true")
        parser.add_argument("--close-when-named", action="store_true")
        parser.add_argument("--weight", type=float, default=1.0)
        parser.add_argument("--ballots-per-voter", type=int, default=500)
        parser.add_argument("--invitation", metavar="SECRET", help="only who has the link /r/SLUG?k=SECRET")

    def handle(self, *args: Any, **options: Any) -> None:
        prompt_sets = [_named(PromptSet, "slug", slug) for slug in options["prompts"]]
        try:
            round_ = rounds.open_round(
                slug=options["slug"],
                candidates=_candidates(options["candidates"], prompt_sets),
                prompt_sets=prompt_sets,
                **{
                    key: options[key]
                    for key in [
                        "name",
                        "goal",
                        "kind",
                        "languages",
                        "floor",
                        "target_votes",
                        "match_sampler",
                        "close_when_named",
                        "weight",
                        "ballots_per_voter",
                        "invitation",
                    ]
                },
            )
        except VotingError as error:
            raise CommandError(str(error)) from error
        twins = Twin.objects.filter(prompt__set__in=prompt_sets).count()
        self.stdout.write(
            f"Round {round_.slug} is open: {round_.round_candidates.count()} candidates, "
            f"{len(round_.prompt_weights)} prompts, {twins} pairs of twins left out."
        )


def _candidates(labels: list[str] | None, prompt_sets: list[PromptSet]) -> list[Candidate]:
    if labels:
        return [_named(Candidate, "label", label) for label in labels]
    answering = Candidate.objects.filter(
        responses__prompt__set__in=prompt_sets, kind="model", retired_at=None
    )
    return list(answering.distinct().order_by("id"))


def _named(model: Any, field: str, value: str) -> Any:
    try:
        return model.objects.get(**{field: value})
    except model.DoesNotExist:
        known = model.objects.order_by(field).values_list(field, flat=True)[:20]
        raise CommandError(
            f"There is no {model._meta.verbose_name} {value!r}. Known: {', '.join(known) or 'none'}."
        ) from None
