"""The forest plot as a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranking.plots.svg import Svg, scale, signed, ticks

ROW = 28
LABEL_WIDTH, PLOT_END, WIDTH = 300, 720, 860


@dataclass(frozen=True)
class Row:
    label: str
    low: float
    middle: float
    high: float
    lead: bool = False


def draw(rows: Sequence[Row], title: str) -> Svg:
    """Points from the mean of the round, one row a candidate; empty where there are none."""
    drawing = Svg(WIDTH, 36 + ROW * max(len(rows), 1), title)
    low, high = min([r.low for r in rows] + [-10.0]), max([r.high for r in rows] + [10.0])
    place, bottom = scale(low, high, LABEL_WIDTH, PLOT_END), ROW * max(len(rows), 1)
    for tick in ticks(low, high, most=6):
        drawing.line(place(tick), 0, place(tick), bottom, "grid" if tick else "base")
        drawing.text(place(tick), bottom + 18, signed(tick), "ax", "middle")
    for k, row in enumerate(rows):
        y, css = ROW * k + ROW / 2, "lead" if row.lead else "rest"
        drawing.text(0, y + 4, shortened(row.label), "b" if row.lead else "")
        drawing.line(place(row.low), y, place(row.high), y, f"ci {css}")
        drawing.dot(place(row.middle), y, 4.5, f"pt {css}")
        drawing.text(PLOT_END + 16, y + 4, f"{signed(row.middle)} ({signed(row.low)} to {signed(row.high)})")
    if not rows:
        drawing.text(0, ROW / 2 + 4, "No votes yet", "note")
    return drawing


def shortened(label: str, most: int = 40) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
