"""Bodies of any size become a table: no votes, one voter, one candidate, 130 of them, names of 60 characters."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ranking import downloads, evidence, presenting, wording


def _bodies() -> ModuleType:
    # importmode importlib: a helper beside the tests is loaded by its path.
    spec = importlib.util.spec_from_file_location("bodies", Path(__file__).with_name("bodies.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bodies = _bodies()
LONG = [
    f"shisa-mega-7b-v1.{k}-dpo-<b>とても長い名前</b>-and-more-words @ 0.{k}".ljust(60, "x") for k in range(8)
]
EXTREMES = {
    "no votes": bodies.no_votes(2),
    "one voter": bodies.one_voter(3),
    "one candidate": bodies.leading(["alone"]),
    "130 candidates": bodies.undecided([f"candidate-{k} @ 0.{k % 9}" for k in range(130)]),
    "long names": bodies.undecided(LONG, "voters"),
}


@pytest.mark.parametrize("body", EXTREMES.values(), ids=EXTREMES.keys())
def test_everything_is_made_of_it(body: dict[str, Any]) -> None:
    table = presenting.strengths(body)
    assert [row["label"] for row in table["rows"]] == [row["label"] for row in body["rows"]]
    assert sum(len(group["rows"]) for group in table["groups"]) == len(body["rows"])
    assert len(presenting.matrix(body)) == min(len(body["rows"]), presenting.MOST_IN_MATRIX)
    assert wording.verdict(body).heading and wording.table_heading(body) and wording.matrix_heading(body)
    assert wording.board_heading(body, slice_="ja").startswith("In Japanese")
    evidence.checks(body, {"ja": body, "en": body})
    for figure in downloads.FIGURES:
        assert "<b>" not in downloads.drawing(figure, body, source="x")
        assert downloads.table(figure, body, source="x\ny").startswith("# x y\n")


def test_without_a_probability_nobody_is_called_the_leader() -> None:
    table = presenting.strengths(bodies.one_voter(3))
    assert [group["name"] for group in table["groups"]] == [""]
    assert not any(row["lead"] for row in table["rows"]) and {row["best"] for row in table["rows"]} == {"–"}


def test_groups_hold_the_rows_that_figures_puts_there() -> None:
    body = bodies.undecided([f"c{k}" for k in range(12)])
    made = {group["name"]: len(group["rows"]) for group in presenting.strengths(body)["groups"]}
    assert made == {
        "The leader": 1,
        "Not distinguishable from the leader": 3,
        "Behind the leader": 8,
    }


def test_no_plus_minus_where_the_interval_stands_around_another_middle() -> None:
    body = bodies.leading(["a", "b"])
    body["rows"][0] |= {"elo": 14.0, "elo_low": -4.0, "elo_high": 12.0}
    first, second = presenting.strengths(body)["rows"]
    assert (first["margin"], first["interval"]) == ("", "−4 to +12") and second["margin"] == "±30"
