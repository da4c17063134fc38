"""A small SVG writer, number formats, scales and ticks."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

# The palette written out, for files that leave the page (static/css/tokens.css, light).
DOWNLOAD_CSS = """text{font:13px system-ui,'Noto Sans CJK JP',sans-serif;fill:#1d1c1a}
.ax,.note{fill:#5a564f;font-size:12px}
.b{font-weight:600}.grid{stroke:#e2ded4}.base{stroke:#8c8678}.ci{stroke:#5a564f;stroke-width:2}.pt{fill:#5a564f}
.lead.ci{stroke:#1c5d73;stroke-width:3}.lead.pt,.lead.bar,text.lead{fill:#1c5d73}.bar{fill:#8c8678}.track{fill:#f3f1eb}
.ln{fill:none;stroke-width:2;stroke:#8c8678}.lead.ln{stroke:#1c5d73;stroke-width:3}
.goal{stroke:#1d1c1a;stroke-dasharray:2 4}
.win{fill:#1c5d73}.draw{fill:#e2ded4}.loss{fill:#8c8678}.heat{fill:#f3f1eb}.r1{fill:#e8eff1}.r2{fill:#d6e2e6}.r3{fill:#c2d3d9}
.r4{fill:#adc5cc}.r5{fill:#97b5bf}.b1{fill:#f9efed}.b2{fill:#f4e3df}.b3{fill:#efd6d0}.b4{fill:#e9c8c0}.b5{fill:#e3b8ae}"""


def signed(value: float) -> str:
    """+64, −30 (a real minus sign), 0."""
    return f"{value:+.0f}".replace("-", "−") if round(value) else "0"


def percent(share: float | None) -> str:
    """97%; the ends say >99% and <1%, since a probability is never certain."""
    if share is None:
        return "–"
    return ">99%" if share > 0.995 else "<1%" if share < 0.005 else f"{100 * share:.0f}%"


def count(number: float) -> str:
    return f"{round(number):,}"


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Values from [low, high], clipped, to coordinates from [start, end]."""
    width = (high - low) or 1.0
    return lambda value: start + (min(max(value, low), high) - low) / width * (end - start)


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round numbers from low to high, `most` or a few fewer."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


class Svg:
    """Marks on a canvas; `in_percent`: x runs from 0 to 100% of whatever width the cell has, type never shrinks."""

    def __init__(
        self, width: float, height: float, label: str = "", *, in_percent: bool = False, css: str = "plot"
    ) -> None:
        self.width, self.height, self.label, self.in_percent, self.css = width, height, label, in_percent, css
        self.marks: list[str] = []

    def _x(self, value: float) -> str:
        return f"{value:.2f}%" if self.in_percent else f"{value:.1f}"

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        self.marks.append(
            f'<text x="{self._x(x)}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{html.escape(words)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self.marks.append(
            f'<line x1="{self._x(x1)}" y1="{y1:.1f}" x2="{self._x(x2)}" y2="{y2:.1f}" class="{css}"/>'
        )

    def dot(self, x: float, y: float, radius: float, css: str) -> None:
        self.marks.append(f'<circle cx="{self._x(x)}" cy="{y:.1f}" r="{radius}" class="{css}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str) -> None:
        width = max(width, 0)
        self.marks.append(
            f'<rect x="{self._x(x)}" y="{y:.1f}" width="{self._x(width)}" height="{height:.1f}" class="{css}"/>'
        )

    def path(self, points: Sequence[tuple[float, float]], css: str) -> None:
        drawn = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.marks.append(f'<path d="M{drawn}" class="{css}"/>')

    def inline(self) -> str:
        """For a page: coloured by its style sheet; named where it has a label, else hidden from readers."""
        name = f'role="img" aria-label="{html.escape(self.label)}"' if self.label else 'aria-hidden="true"'
        box = (
            f'width="100%" height="{self.height:.0f}"'
            if self.in_percent
            else f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" width="{self.width:.0f}" height="{self.height:.0f}"'
        )
        return f'<svg class="{self.css}" {box} {name} focusable="false">{"".join(self.marks)}</svg>'

    def file(self, source: str) -> str:
        """For download: literal colours, the title and the source in it."""
        width, height = self.width + 32, self.height + 84
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(self.label)}">'
            f"<style>{DOWNLOAD_CSS}</style>"
            f'<rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="16" y="28" class="b">{html.escape(self.label)}</text>'
            f'<text x="16" y="{height - 14:.0f}" class="ax">{html.escape(source)}</text>'
            f'<g transform="translate(16 48)">{"".join(self.marks)}</g></svg>'
        )
