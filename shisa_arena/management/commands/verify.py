"""`manage.py verify`: recount what is derived, and say what does not agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation import checks as generation_checks
from ranking import checks as ranking_checks
from voting import checks as voting_checks


class Command(BaseCommand):
    help = "Recompute the sums from the votes and compare; --repair rewrites what differs."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--repair", action="store_true")

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        checks = (generation_checks, voting_checks, ranking_checks)
        findings = [finding for one in checks for finding in one.verify(repair=repair)]
        for finding in findings:
            self.stdout.write(str(finding))
        if findings and not repair:
            raise CommandError(f"{len(findings)} findings. Rewrite the sums with: manage.py verify --repair")
        self.stdout.write(
            f"{len(findings)} repaired." if findings else "Clean: every sum agrees with the votes."
        )
