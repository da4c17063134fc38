"""The figures as files: drawings with literal colours, and tables of all rows."""

from __future__ import annotations

import csv
import io
from typing import Any

from ranking import presenting, wording
from ranking.wording import Body
from voting.models import Round

COLUMNS = (
    "label", "theta", "elo", "elo_low", "elo_high", "p_best", "p_top3", "p_beaten_by_leader", "rank", "rank_low",
    "rank_high", "group", "votes", "wins", "draws", "losses", "both_bad", "responses", "twins_share",
)  # fmt: skip
FIGURES = ("strengths", "p-best", "win-rates")


def source(round_: Round, body: Body, slice_: str) -> str:
    kind = "Simulated votes. " if round_.kind == Round.Kind.SIMULATED else ""
    return f"{kind}{round_}, {slice_}: {wording.plural(body['votes'], 'vote')}"


def drawing(figure: str, body: Body, *, source: str) -> str:
    if figure == "p-best":
        return presenting.looks_drawing(body).file(source)
    if figure == "win-rates":
        made = presenting.matrix_drawing(body, wording.matrix_heading(body))
        return made.file(f"Win rate of row against column, %; below: votes. {source}")
    return presenting.forest_drawing(body, wording.table_heading(body)).file(
        f"Rating points, 0 = mean of the round; line: 95% interval. {source}"
    )


def table(figure: str, body: Body, *, source: str) -> str:
    """CSV, its source in a comment line."""
    written = io.StringIO()
    written.write(f"# {' '.join(source.split())}\n")
    csv.writer(written, lineterminator="\n").writerows(_rows(figure, body))
    return written.getvalue()


def _rows(figure: str, body: Body) -> list[list[Any]]:
    rows = body["rows"]
    if figure == "p-best":
        return [
            ["votes", "leader", "p_best"],
            *([o["votes"], o["leader"], o["p_best"]] for o in body["looks"]),
        ]
    if figure == "win-rates":
        return [
            ["row", "column", "wins", "draws", "losses", "win_rate"],
            *(
                [rows[i]["label"], rows[j]["label"], body["wins"][i][j], body["draws"][i][j], body["wins"][j][i],
                 body["win_rate"][i][j]]
                for i in range(len(rows)) for j in range(len(rows)) if i != j
            ),
        ]  # fmt: skip
    flags = ("empty", "cut_off")
    head = [*COLUMNS, *flags]
    return [head, *([row.get(c) for c in COLUMNS] + [row["flags"].get(f) for f in flags] for row in rows)]
