"""manage.py dump_responses --set SLUG OUT.jsonl"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from generation.dump import dump_responses
from generation.errors import GenerationError


class Command(BaseCommand):
    help = "Write the responses to a prompt set as JSONL, which import_responses reads back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--set", required=True, help="slug of the prompt set")
        parser.add_argument(
            "--without-flag",
            action="append",
            default=[],
            metavar="CODE",
            help="leave out responses with this flag",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = dump_responses(
                set_slug=options["set"], path=Path(options["file"]), without_flags=options["without_flag"]
            )
        except GenerationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} responses written to {options['file']}.")
