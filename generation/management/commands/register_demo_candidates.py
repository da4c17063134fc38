"""manage.py register_demo_candidates"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from generation.demo_candidates import register_demo_candidates


class Command(BaseCommand):
    help = "Register the demo's candidates: eight on two small checkpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--without-gemma", action="store_true", help="only those whose terms are Apache-2.0"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for candidate in register_demo_candidates(with_gemma=not options["without_gemma"]):
            self.stdout.write(candidate.label)
