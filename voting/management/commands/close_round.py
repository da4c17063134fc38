from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from voting import rounds
from voting.models import Round


class Command(BaseCommand):
    help = "Begin the closing of a round: no new pair; shown pairs may be voted on until they expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        round_ = Round.objects.filter(slug=slug).first()
        if round_ is None:
            raise CommandError(f"There is no round {slug!r}.")
        if not rounds.begin_closing(round=round_):
            round_.refresh_from_db(fields=["state"])
            self.stdout.write(f"Round {slug} is {round_.state} already.")
            return
        self.stdout.write(
            f"Round {slug} is closing. Beat closes it once no pair is open and every vote is summed."
        )
