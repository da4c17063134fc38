"""Win rates of all pairs as a heat map, for download: on the page it is a table."""

from __future__ import annotations

from collections.abc import Sequence

from ranking.plots.forest import shortened
from ranking.plots.svg import Svg

CELL, LABELS = 44, 300
FEW = 8  # votes, below which a rate gets no colour


def bucket(rate: float | None, votes: int) -> str:
    """The class that colours a cell: r1 to r5 where the row wins, b1 to b5 where it loses, `few` without colour."""
    if rate is None or votes == 0:
        return "none"
    if votes < FEW:
        return "few"
    strength = min(5, int(abs(rate - 0.5) / 0.05 + 0.5))
    if not strength:
        return "r0"
    return f"r{strength}" if rate > 0.5 else f"b{strength}"


def draw(
    labels: Sequence[str], rates: Sequence[Sequence[float | None]], votes: Sequence[Sequence[int]], title: str
) -> Svg:
    """Row against column, per cent; columns bear the number of their row."""
    n = len(labels)
    drawing = Svg(LABELS + CELL * max(n, 8), 30 + CELL * max(n, 1), title)
    if not n:
        drawing.text(0, 20, "No votes yet", "note")
    for k, label in enumerate(labels):
        drawing.text(LABELS + CELL * (k + 0.5), 18, str(k + 1), "ax", "middle")
        drawing.text(0, 30 + CELL * (k + 0.5) + 4, f"{k + 1}  {shortened(label)}")
        for j in range(n):
            if j == k:
                continue
            x, y = LABELS + CELL * j, 30 + CELL * k
            drawing.rect(x, y, CELL - 1, CELL - 1, f"heat {bucket(rates[k][j], votes[k][j])}")
            rate = rates[k][j]
            drawing.text(x + CELL / 2, y + 19, "–" if rate is None else f"{100 * rate:.0f}", "", "middle")
            drawing.text(x + CELL / 2, y + 35, str(votes[k][j]), "ax", "middle")
    return drawing
