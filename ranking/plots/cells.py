"""Row plots that stand in a table's cell: they stretch with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ranking.plots.svg import Svg, scale, signed, ticks

HEIGHT = 30
ROOM = 4  # per cent kept free at each end, so that no mark is cut


class Axis:
    """A common scale for the rows of one table; it always holds zero and is at least `least` wide."""

    def __init__(self, values: Sequence[float], *, least: float = 20, most_ticks: int = 4) -> None:
        low, high = min([*values, 0.0]), max([*values, 0.0])
        if high - low < least:
            low, high = (0.0, least) if values and low >= 0 else (low - least / 2, high + least / 2)
        self.low, self.high = low, high
        self.ticks = ticks(low, high, most=most_ticks)
        self.place = scale(low, high, ROOM, 100 - ROOM)


def axis(of: Axis, form: Callable[[float], str] = signed) -> str:
    drawing = Svg(320, 26, in_percent=True, css="cell")
    zero = of.ticks.index(0) if 0 in of.ticks else 0
    for k, tick in enumerate(of.ticks):
        at = of.place(tick)
        css = "ax minor" if len(of.ticks) > 3 and (k - zero) % 2 else "ax"  # a phone leaves minor words out
        # At the edges the words stay inside, or they run into the next column on a phone.
        drawing.text(at, 14, form(tick), css, "start" if at < 12 else "end" if at > 88 else "middle")
        drawing.line(of.place(tick), 20, of.place(tick), 26, "grid" if tick else "base")
    return drawing.inline()


def interval(
    of: Axis, low: float, middle: float, high: float, *, lead: bool = False, mark: float | None = None
) -> str:
    """Estimate and interval on the common scale; `mark`: a dotted line, such as the leader's estimate."""
    drawing, css = Svg(320, HEIGHT, in_percent=True, css="cell"), "lead" if lead else "rest"
    for tick in of.ticks:
        drawing.line(of.place(tick), 0, of.place(tick), HEIGHT, "grid" if tick else "base")
    if mark is not None:
        drawing.line(of.place(mark), 0, of.place(mark), HEIGHT, "goal")
    drawing.line(of.place(low), HEIGHT / 2, of.place(high), HEIGHT / 2, f"ci {css}")
    drawing.dot(of.place(middle), HEIGHT / 2, 5 if lead else 4, f"pt {css}")
    return drawing.inline()


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a share of n."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def bar(share: float, *, lead: bool = False, goal: float | None = None) -> str:
    """A share from 0 to 1."""
    drawing = Svg(120, HEIGHT, in_percent=True, css="cell")
    drawing.rect(0, HEIGHT / 2 - 4, 100, 8, "track")
    drawing.rect(0, HEIGHT / 2 - 4, 100 * min(max(share, 0), 1), 8, "bar lead" if lead else "bar")
    if goal is not None:
        drawing.line(100 * goal, HEIGHT / 2 - 8, 100 * goal, HEIGHT / 2 + 8, "goal")
    return drawing.inline()


def win_draw_loss(wins: int, draws: int, losses: int) -> str:
    drawing = Svg(200, HEIGHT, in_percent=True, css="cell")
    total = wins + draws + losses
    if not total:
        drawing.rect(0, HEIGHT / 2 - 6, 100, 12, "track")
        return drawing.inline()
    first, second = 100 * wins / total, 100 * draws / total
    drawing.rect(0, HEIGHT / 2 - 6, first, 12, "win")
    drawing.rect(first, HEIGHT / 2 - 6, second, 12, "draw")
    drawing.rect(first + second, HEIGHT / 2 - 6, 100 - first - second, 12, "loss")
    drawing.line(50, HEIGHT / 2 - 9, 50, HEIGHT / 2 + 9, "goal")
    return drawing.inline()
