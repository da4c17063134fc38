"""`manage.py exclude_voter ID [--readmit]`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ranking import voters
from voting.models import Voter


class Command(BaseCommand):
    help = "Take a voter's ballots out of every ranking, or put them back. The votes themselves stay."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("voter", type=int, help="the number that the admin's list of voters shows")
        parser.add_argument("--readmit", action="store_true")

    def handle(self, *args: Any, voter: int, readmit: bool, **options: Any) -> None:
        found = Voter.objects.filter(pk=voter).first()
        if found is None:
            raise CommandError(f"There is no voter {voter}. The admin lists them under Voting, Voters.")
        done = voters.readmit(voter=found) if readmit else voters.exclude(voter=found)
        if not done:
            raise CommandError(f"Voter {voter} is {'not excluded' if readmit else 'excluded already'}.")
        self.stdout.write(
            f"Voter {voter} is {'readmitted' if readmit else 'excluded'}; the next fold counts so."
        )
