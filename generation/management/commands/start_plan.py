"""manage.py start_plan NAME --candidates LABEL… --sets SLUG… --samples N"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from generation import announcing, plans
from generation.errors import GenerationError
from generation.models import Candidate, Plan, PromptSet


class Command(BaseCommand):
    help = "Make a plan and start it, or go on with the plan of that name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--candidates", nargs="+", default=[], metavar="LABEL")
        parser.add_argument("--sets", nargs="+", default=[], metavar="SLUG")
        parser.add_argument("--samples", type=int, default=1)
        parser.add_argument("--retry-failed", action="store_true", help="give failed jobs new attempts")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = Plan.objects.filter(name=options["name"]).first() or plans.create(
                name=options["name"],
                candidates=[_find(Candidate, "label", label) for label in options["candidates"]],
                prompt_sets=[_find(PromptSet, "slug", slug) for slug in options["sets"]],
                samples=options["samples"],
            )
            made = plans.start(plan=plan)
            again = plans.retry_failed(plan=plan) if options["retry_failed"] else 0
        except GenerationError as error:
            raise CommandError(str(error)) from error
        announcing.announce()
        self.stdout.write(f"Plan {plan.name!r} is running: {made} jobs made, {again} tried again.")
        self.stdout.write(
            "Beat announces them every 30 s; a worker takes them: python -m shisa_arena.processes worker-gpu"
        )


def _find(model: Any, field: str, value: str) -> Any:
    found = model.objects.filter(**{field: value}).first()
    if found is None:
        known = ", ".join(
            repr(name) for name in model.objects.order_by(field).values_list(field, flat=True)[:40]
        )
        raise CommandError(f"There is no {model._meta.verbose_name} {value!r}. Known: {known or 'none yet'}.")
    return found
