"""manage.py import_responses FILES…"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from generation.errors import GenerationError
from generation.imports import import_responses


class Command(BaseCommand):
    help = (
        "Import responses from files of dump_responses (.jsonl) or CHECKPOINT_temp-T_run-N.json: all or none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = import_responses(
                paths=[Path(file) for file in options["files"]], dry_run=options["dry_run"]
            )
        except GenerationError as error:
            raise CommandError(str(error)) from error
        if not options["verbosity"]:
            return
        made = "Would import" if options["dry_run"] else "Imported"
        self.stdout.write(
            f"{made} {done.responses} responses ({done.checkpoints} checkpoints, {done.candidates} candidates, "
            f"{done.prompts} prompts are new); {done.unchanged} were there already."
        )
        for which in done.differing[:10]:
            self.stdout.write(f"Kept as it was, the file has another text: {which}")
        if len(done.differing) > 10:
            self.stdout.write(f"... and {len(done.differing) - 10} more with another text")
