"""Write a round's preferences to a file: whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from accounts.models import User
from exports.errors import ExportError
from exports.formats import dpo
from exports.models import Export
from exports.selection import Selection, select
from voting.models import Round

FORMATS = {"dpo": dpo.row}


@dataclass(frozen=True)
class Written:
    export: Export
    selection: Selection


def lines(selection: Selection, *, format: str, round_: Round) -> Iterator[str]:
    make_row = FORMATS[known(format)]
    for pair, chosen, rejected in selection.kept:
        yield json.dumps(make_row(pair, chosen, rejected, round_.slug), ensure_ascii=False) + "\n"


def known(format: str) -> str:
    if format not in FORMATS:
        raise ExportError(f"Format {format!r} is not known. Known: {', '.join(sorted(FORMATS))}.")
    return format


def rows_sha(rows: list[str]) -> str:
    """The same votes give the same rows give the same hash."""
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def run(*, round: Round, format: str, path: Path, by: User | None = None) -> Written:
    """Export `round` to `path` (gzip where it ends in .gz). Raises ExportError, and then no file is left behind."""
    known(format)
    selection = select(round)
    rows = list(lines(selection, format=format, round_=round))
    if not rows:
        raise ExportError(_nothing(round, selection))
    _write_whole(path, rows)
    export = record(round=round, format=format, rows=rows, path=str(path), by=by)
    return Written(export, selection)


def record(*, round: Round, format: str, rows: list[str], path: str, by: User | None) -> Export:
    return Export.objects.create(
        format=format,
        filters={"round": round.slug},
        state=Export.State.DONE,
        rows=len(rows),
        rows_sha=rows_sha(rows),
        path=path,
        by=by,
    )


def _nothing(round: Round, selection: Selection) -> str:
    if not selection.votes:
        return f"Round {round.slug!r} has no votes yet, so there is nothing to export."
    left_out = ", ".join(f"{n}: {reason}" for reason, n in selection.funnel)
    return f"None of the {selection.pairs} pairs of round {round.slug!r} can be exported ({left_out})."


def _write_whole(path: Path, rows: list[str]) -> None:
    try:
        handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written: {error.strerror}. Name a file in a folder you may write to."
        ) from error
    try:
        with os.fdopen(handle, "wb") as raw:
            _write(raw, rows, compressed=path.suffix == ".gz")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}.") from error


def _write(raw: IO[bytes], rows: list[str], *, compressed: bool) -> None:
    if not compressed:
        raw.writelines(row.encode() for row in rows)
        return
    # No time and no name inside: the same rows give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
        packed.writelines(row.encode() for row in rows)
