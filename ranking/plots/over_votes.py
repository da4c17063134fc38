"""P(best) of the leaders over the votes: the stored looks."""

from __future__ import annotations

from collections.abc import Sequence

from ranking.plots.forest import shortened
from ranking.plots.svg import Svg, count, percent, scale, ticks

GOAL = 0.95


def draw(
    looks: Sequence[tuple[int, str, float]], title: str, *, width: float = 540, height: float = 300
) -> Svg:
    """`looks`: (votes, leader, P(best) of that leader), oldest first. A change of leader starts a new line."""
    drawing = Svg(width, height, title)
    left, right, bottom = 46, width - (150 if width > 400 else 24), height - 44
    votes = [look[0] for look in looks] or [0, 100]
    x, y = scale(min(votes), max(*votes, min(votes) + 1), left, right), scale(0, 1, bottom, 26)
    drawing.text(0, 13, "P(best) of the leader", "ax")
    for tick in (0, 0.25, 0.5, 0.75, 1):
        drawing.line(left, y(tick), right, y(tick), "grid")
        drawing.text(left - 8, y(tick) + 4, f"{100 * tick:.0f}%", "ax", "end")
    for tick in ticks(min(votes), max(votes), most=4 if width > 400 else 3):
        drawing.text(x(tick), height - 24, count(tick), "ax", "middle")
    drawing.line(left, bottom, right, bottom, "base")
    drawing.text((left + right) / 2, height - 6, "votes", "ax", "middle")
    drawing.line(left, y(GOAL), right, y(GOAL), "goal")
    drawing.text(left + 4, y(GOAL) - 6, "95% at five looks in a row names it", "note")
    for leader, run in _runs(looks):
        css = "lead" if leader == looks[-1][1] else "rest"
        points = [(x(n), y(p)) for n, p in run]
        if len(points) > 1:
            drawing.path(points, f"ln {css}")
        else:
            drawing.dot(*points[0], 3, f"pt {css}")
    if looks and width > 400:
        _, leader, p = looks[-1]
        name, _, setting = leader.partition(" @ ")
        drawing.text(right + 8, y(p) + 4, shortened(name, 17), "b lead")
        second = f"@ {shortened(setting, 10)}, {percent(p)}" if setting else percent(p)
        drawing.text(right + 8, y(p) + 20, second, "b lead")
    return drawing


def _runs(looks: Sequence[tuple[int, str, float]]) -> list[tuple[str, list[tuple[int, float]]]]:
    runs: list[tuple[str, list[tuple[int, float]]]] = []
    for votes, leader, p in looks:
        if not runs or runs[-1][0] != leader:
            runs.append((leader, []))
        runs[-1][1].append((votes, p))
    return runs
