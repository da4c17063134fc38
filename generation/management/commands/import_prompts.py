"""manage.py import_prompts FILE --set SLUG"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from generation.errors import GenerationError
from generation.prompt_import import import_prompts


class Command(BaseCommand):
    help = (
        "Import prompts from JSONL (ours, FastChat's question.jsonl, chat messages) or CSV: all rows or none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--set", required=True, help="slug of the prompt set; made if there is none")
        parser.add_argument(
            "--language", help="ja or en, for rows that do not say; otherwise told by their kana"
        )
        parser.add_argument("--licence", default="", help="of a set that is made now")
        parser.add_argument("--source", default="", help="of a set that is made now")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = import_prompts(
                path=Path(options["file"]),
                set_slug=options["set"],
                language=options["language"],
                licence=options["licence"],
                source=options["source"],
                dry_run=options["dry_run"],
            )
        except GenerationError as error:
            raise CommandError(str(error)) from error
        verb = "would be created" if options["dry_run"] else "created"
        if options["verbosity"]:
            self.stdout.write(f"{done.created} prompts {verb}, {done.unchanged} were there already.")
