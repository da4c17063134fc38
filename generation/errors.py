"""What can go wrong here.

GenerationError
    SettingsError      a candidate, prompt or plan that cannot be used as given
    RowError           a field of a row of a file cannot be used
    BadRows            an import in which at least one row cannot be used; nothing was written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GenerationError(Exception):
    """Something cannot be done as asked; the message says what to do."""


class SettingsError(GenerationError):
    """These settings cannot be used."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing to mend: where, in which field, what is wrong and what to do."""

    file: str
    row: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, field {self.field}: {self.message}"


class RowError(GenerationError):
    """A field of a row cannot be used. Raised while reading; collected into BadRows."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message

    def at(self, file: str, row: int) -> BadRow:
        return BadRow(file, row, self.field, self.message)


class BadRows(GenerationError):
    """Nothing was imported; `rows` says what to mend."""

    SHOWN = 50

    def __init__(self, rows: Sequence[BadRow]) -> None:
        self.rows = list(rows)
        lines = [str(row) for row in self.rows[: self.SHOWN]]
        if len(self.rows) > self.SHOWN:
            lines.append(f"... and {len(self.rows) - self.SHOWN} more")
        lines.append(f"Nothing was imported: mend {len(self.rows)} error(s) and import again.")
        super().__init__("\n".join(lines))
