"""`manage.py simulate_votes --round SLUG --votes N --voters V`."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ranking import simulate
from ranking.errors import RankingError
from voting.models import Round


class Command(BaseCommand):
    help = "Fill a round of kind `simulated` with votes of unlike voters on unlike prompts."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--round", required=True)
        parser.add_argument("--votes", type=int, default=3000)
        parser.add_argument("--voters", type=int, default=60)
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, round: str, votes: int, voters: int, seed: int, **options: Any) -> None:
        started = time.monotonic()
        try:
            done = simulate.simulate(
                round=Round.objects.get(slug=round), votes=votes, voters=voters, seed=seed
            )
        except Round.DoesNotExist as error:
            raise CommandError(f"There is no round {round!r}.") from error
        except RankingError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done} simulated votes of {voters} voters in {time.monotonic() - started:.0f} s.")
