"""`manage.py close_round SLUG`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from voting import rounds
from voting.models import Round


class Command(BaseCommand):
    help = (
        "Make no new pairs; the round closes once the pairs in people's hands are voted on or have expired."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, slug: str, **options: Any) -> None:
        try:
            round_ = Round.objects.get(slug=slug)
        except Round.DoesNotExist as error:
            raise CommandError(f"There is no round {slug!r}.") from error
        if not rounds.begin_closing(round=round_):
            raise CommandError(f"Round {slug!r} is {round_.state}, so it cannot begin to close.")
        self.stdout.write(f"Round {slug} is closing.")
