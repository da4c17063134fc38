"""`manage.py export_preferences --format dpo [--round SLUG] out.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exports import export
from exports.errors import ExportError
from voting.models import Round


class Command(BaseCommand):
    help = "Write what volunteers preferred as pairs that TRL trains on. Ends in .gz: compressed."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--format", default="dpo", help=f"one of: {', '.join(sorted(export.FORMATS))}")
        parser.add_argument("--round", help="slug; not needed where there is only one round")

    def handle(self, *args: Any, path: Path, format: str, round: str | None, **options: Any) -> None:
        try:
            written = export.run(round=_the_round(round), format=format, path=path)
        except ExportError as error:
            raise CommandError(str(error)) from error
        selection = written.selection
        self.stdout.write(f"{selection.votes} votes on {selection.pairs} pairs of answers")
        for reason, n in selection.funnel:
            self.stdout.write(f"  {n} left out: {reason}")
        self.stdout.write(
            f"{written.export.rows} rows in {path}, sha256 of the rows {written.export.rows_sha[:12]}"
        )


def _the_round(slug: str | None) -> Round:
    rounds = list(Round.objects.order_by("slug"))
    chosen = [one for one in rounds if slug in (None, one.slug)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(one.slug for one in rounds) or "none; open one with manage.py open_round"
    raise CommandError(
        f"There is no round {slug!r}. Rounds: {names}."
        if slug
        else f"Say which round with --round. Rounds: {names}."
    )
