"""Plots take whatever a round brings: no rows, one row, 130 rows, names of 60 characters, equal values."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ranking.plots import cells, forest, over_votes, win_rates
from ranking.plots.svg import Svg, percent, scale, signed, ticks

LONG = "shisa-mega-7b-v1.2-dpo & <script>alert('名前')</script> @ 0.4 xxxx"


def parsed(drawing: str) -> ET.Element:
    """A drawing is well-formed, holds no inline style and no number that is none."""
    assert not re.search(r"\b(nan|inf)\b", drawing, re.IGNORECASE)
    assert " style=" not in drawing
    return ET.fromstring(drawing)


@pytest.mark.parametrize("n", [0, 1, 2, 130])
def test_forest_of_any_number_of_rows(n: int) -> None:
    rows = [forest.Row(LONG, -k, 0.0, 3.0 * k, lead=k == 0) for k in range(n)]
    drawing = forest.draw(rows, f"Strengths of {LONG}")
    root = parsed(drawing.inline())
    assert root.get("aria-label") == f"Strengths of {LONG}"
    assert len(root.findall("circle")) == n
    parsed(drawing.file("Simulated votes"))


def test_a_drawing_escapes_every_word() -> None:
    drawing = forest.draw([forest.Row("<script>x</script>", 0, 1, 2)], '"><script>')
    assert "<script" not in drawing.inline() and "<script" not in drawing.file("<script>")


def test_an_unnamed_drawing_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in Svg(10, 10).inline()


@pytest.mark.parametrize(
    "looks",
    [
        [],
        [(40, LONG, 0.5)],
        [(40, "a", 0.0), (80, "b", 1.0)],
        [(40 * k, "ab"[k % 2], k / 200) for k in range(200)],
    ],
)
def test_looks_of_any_number(looks: list[tuple[int, str, float]]) -> None:
    for width in (540, 350):
        parsed(over_votes.draw(looks, "P(best)", width=width).inline())


def test_a_change_of_leader_starts_a_new_line() -> None:
    looks = [(40, "a", 0.4), (80, "a", 0.5), (120, "b", 0.6), (160, "b", 0.7)]
    root = parsed(over_votes.draw(looks, "P(best)").inline())
    assert [path.get("class") for path in root.findall("path")] == ["ln rest", "ln lead"]


@pytest.mark.parametrize(
    ("low", "middle", "high"), [(0, 0, 0), (-1e6, 0, 1e6), (1e-9, 1e-9, 2e-9), (5, 1, 9)]
)
def test_intervals_stay_in_their_cell(low: float, middle: float, high: float) -> None:
    axis = cells.Axis([low, middle, high])
    root = parsed(cells.interval(axis, low, middle, high, lead=True, mark=middle))
    places = [float(str(line.get(x)).rstrip("%")) for line in root.findall("line") for x in ("x1", "x2")]
    assert all(0 <= place <= 100 for place in places)
    parsed(cells.axis(axis))
    assert 1 <= len(axis.ticks) <= 6


def test_an_axis_of_nothing_is_an_axis() -> None:
    parsed(cells.axis(cells.Axis([])))


@pytest.mark.parametrize(("wins", "draws", "losses"), [(0, 0, 0), (1, 0, 0), (0, 0, 7), (3, 2, 5)])
def test_win_draw_loss_fills_the_bar(wins: int, draws: int, losses: int) -> None:
    root = parsed(cells.win_draw_loss(wins, draws, losses))
    widths = [float(str(rect.get("width")).rstrip("%")) for rect in root.findall("rect")]
    assert sum(widths) == pytest.approx(100)


def test_wilson_against_a_published_value() -> None:
    # Newcombe 1998, method 3: 81 of 263 gives 0.2553 to 0.3662.
    assert cells.wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert cells.wilson(0.0, 10)[0] == 0.0 and cells.wilson(1.0, 10)[1] == 1.0


@pytest.mark.parametrize("n", [0, 1, 30])
def test_win_rates_of_any_size(n: int) -> None:
    rates: list[list[float | None]] = [[None if i == j else 0.6 for j in range(n)] for i in range(n)]
    parsed(win_rates.draw([LONG] * n, rates, [[9] * n] * n, "Win rates").inline())


@pytest.mark.parametrize(
    ("rate", "votes", "css"),
    [(None, 0, "none"), (0.9, 7, "few"), (0.5, 8, "r0"), (0.95, 20, "r5"), (0.0, 20, "b5"), (0.4, 20, "b2")],
)
def test_colour_only_repeats_the_number(rate: float | None, votes: int, css: str) -> None:
    assert win_rates.bucket(rate, votes) == css


def test_words_for_numbers() -> None:
    assert [signed(x) for x in (64.4, -30, 0.2, -0.2)] == ["+64", "−30", "0", "0"]
    assert [percent(p) for p in (None, 0, 0.004, 0.5, 0.97, 0.996, 1)] == [
        "–", "<1%", "<1%", "50%", "97%", ">99%", ">99%"
    ]  # fmt: skip


def test_ticks_are_round_and_inside() -> None:
    assert ticks(-100, 100, most=4) == [-100, -50, 0, 50, 100]
    assert ticks(3, 3) == [3]
    assert scale(0, 0, 5, 9)(0) == 5
