"""From a Figures body to what a template shows: words, numbers as text, cells as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from ranking.evidence import leader_of
from ranking.plots import cells, forest, over_votes, win_rates
from ranking.plots.svg import Svg, count, percent, signed
from ranking.wording import P_ASKED, Body, looks_heading

GROUPS = {
    "leader": "The leader",
    "not_distinguishable": "Not distinguishable from the leader",
    "behind": "Behind the leader",
}
LEVELS = ("candidate", "checkpoint", "sampler")
SLICES = {"all": "All", "ja": "Japanese", "en": "English"}
WITHOUT_INSIDERS = "-without_insiders"
ALL_SLICES = [name + rest for name in SLICES for rest in ("", WITHOUT_INSIDERS)]
MOST_IN_MATRIX = 30  # a larger one says nothing to the eye; the CSV has all


def safe(drawing: str) -> SafeString:
    """Drawn by ranking.plots, which escapes every word that it is given."""
    return mark_safe(drawing)  # noqa: S308


def strengths(body: Body) -> dict[str, Any]:
    """The main table: its axes, and the rows in groups, strongest first."""
    rows = [_points(row) for row in body["rows"]]
    known = [row for row in rows if row["points"] is not None]
    scale = cells.Axis([value for row in known for value in (row["low"], row["high"], row["points"])])
    cut = cells.Axis([100 * high for row in rows if (high := _cut_off(row)[1]) is not None], least=4)
    lead = next((row for row in known if row["group"] == "leader" and row["p_best"] is not None), None)
    shown = [_row(row, scale, cut, lead) | {"apart": _apart(row, body)} for row in rows]
    return {
        "groups": _grouped(shown) if lead else [{"name": "", "rows": shown}],
        "rows": shown,
        "axis": safe(cells.axis(scale)),
        "cut_axis": safe(cells.axis(cut, lambda tick: f"{tick:g}%")),
    }


def _grouped(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [
        {"name": name, "rows": [row for row in rows if row["group"] == code]} for code, name in GROUPS.items()
    ]
    return [group for group in made if group["rows"]]


def _points(row: dict[str, Any]) -> dict[str, Any]:
    """Rating points from the mean of the round; None for a candidate without a vote."""
    if not row["votes"]:
        return {**row, "points": None, "low": None, "high": None}
    return {**row, "points": row["elo"], "low": row["elo_low"], "high": row["elo_high"]}


def _apart(row: dict[str, Any], body: Body) -> bool:
    return bool(body["islands"] > 1 and row["island"] != 0)


def _cut_off(row: dict[str, Any]) -> tuple[float, float] | tuple[None, None]:
    return cells.wilson(row["flags"]["cut_off"], row["responses"]) if row["responses"] else (None, None)


def _row(
    row: dict[str, Any], scale: cells.Axis, cut: cells.Axis, first: dict[str, Any] | None
) -> dict[str, Any]:
    lead, known = row is first, row["points"] is not None
    name, at, setting = row["label"].partition(" @ ")
    mark = first["points"] if first else None
    cut_low, cut_high = _cut_off(row)
    share = row["flags"]["cut_off"]
    return {
        **row,
        "lead": lead,
        "name": name,
        "setting": f"@ {setting}" if at else "",
        "best": percent(row["p_best"]),
        "best_bar": _bar(row["p_best"], lead=lead),
        "forest": safe(cells.interval(scale, row["low"], row["points"], row["high"], lead=lead, mark=mark))
        if known
        else "",
        "rating": signed(row["points"]) if known else "–",
        "margin": _margin(row) if known else "",
        "interval": f"{signed(row['low'])} to {signed(row['high'])}" if known else "–",
        "ranks": _ranks(row) if row["p_best"] is not None else "–",
        "beaten": "–" if lead else percent(row["p_beaten_by_leader"]),
        "wdl": safe(cells.win_draw_loss(row["wins"], row["draws"], row["losses"])),
        "cut_plot": safe(cells.interval(cut, 100 * cut_low, 100 * share, 100 * cut_high, lead=lead))
        if cut_low is not None and cut_high is not None
        else "",
        "cut_off": f"{100 * share:.1f}%" if row["responses"] else "–",
        "empty": f"{100 * row['flags']['empty']:.1f}%" if row["responses"] else "–",
        "twins": f"{100 * (row['twins_share'] or 0):.1f}%",
    }


def _bar(p_best: float | None, *, lead: bool) -> SafeString | str:
    return "" if p_best is None else safe(cells.bar(p_best, lead=lead, goal=P_ASKED))


def _margin(row: dict[str, Any]) -> str:
    """± only where it is so: the leader's interval is drawn towards the mean and stands around another middle."""
    half = (row["high"] - row["low"]) / 2
    return f"±{half:.0f}" if abs((row["high"] + row["low"]) / 2 - row["points"]) < 1 else ""


def _ranks(row: dict[str, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    if low is None or high is None:
        return str(row["rank"])
    return str(low) if low == high else f"{low}–{high}"


def votes_between(body: Body, i: int, j: int) -> int:
    return int(body["wins"][i][j] + body["wins"][j][i] + body["draws"][i][j])


def matrix(body: Body) -> list[dict[str, Any]]:
    """Win rate of the row against the column, with counts, of the strongest rows."""
    rows = body["rows"][:MOST_IN_MATRIX]
    return [
        {"number": i + 1, "label": row["label"], "cells": [_cell(body, i, j) for j in range(len(rows))]}
        for i, row in enumerate(rows)
    ]


def _cell(body: Body, i: int, j: int) -> dict[str, str] | None:
    if i == j:
        return None
    rate, n = body["win_rate"][i][j], votes_between(body, i, j)
    css = win_rates.bucket(rate, n)
    return {"css": css, "rate": "–" if rate is None else f"{100 * rate:.0f}", "n": count(n) if n else ""}


def looks_figure(body: Body) -> dict[str, Any] | None:
    """P(best) over votes; None before the first look."""
    looks = [(int(one["votes"]), str(one["leader"]), float(one["p_best"])) for one in body["looks"]]
    if not looks:
        return None
    title = looks_heading(body)
    return {
        "title": title,
        "wide": safe(over_votes.draw(looks, title).inline()),
        "narrow": safe(over_votes.draw(looks, title, width=350, height=290).inline()),
        "rows": [(count(votes), leader, percent(p)) for votes, leader, p in looks[::-1][:40]],
    }


def leaders_by_slice(body: Body, slices: Mapping[str, Body]) -> list[dict[str, str]]:
    """Who stands highest in which votes: those slices that have any."""
    names = {"ja": "Japanese votes", "en": "English votes", "all" + WITHOUT_INSIDERS: "Without insiders"}
    found = [("All votes", body), *((name, slices[code]) for code, name in names.items() if code in slices)]
    if len(found) == 1:
        return []
    return [
        {
            "name": name,
            "votes": count(one["votes"]),
            "leader": first["label"],
            "best": percent(first["p_best"]),
        }
        for name, one in found
        if (first := leader_of(one))
    ]


def forest_drawing(body: Body, title: str) -> Svg:
    rows = [_points(row) for row in body["rows"]]
    lead = body["verdict"]["state"] not in ("no_votes", "more_voters")
    return forest.draw(
        [
            forest.Row(
                row["label"], row["low"], row["points"], row["high"], lead and row["group"] == "leader"
            )
            for row in rows
            if row["points"] is not None
        ],
        title,
    )


def looks_drawing(body: Body) -> Svg:
    looks = [(int(one["votes"]), str(one["leader"]), float(one["p_best"])) for one in body["looks"]]
    return over_votes.draw(looks, looks_heading(body))


def matrix_drawing(body: Body, title: str) -> Svg:
    labels = [row["label"] for row in body["rows"][:MOST_IN_MATRIX]]
    n = range(len(labels))
    votes = [[votes_between(body, i, j) if i != j else 0 for j in n] for i in n]
    return win_rates.draw(labels, [[body["win_rate"][i][j] for j in n] for i in n], votes, title)
