"""From a Figures body to what a template shows: words, numbers as text, cells as SVG."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import SafeString, mark_safe

from ranking.plots import cells, forest, over_votes
from ranking.plots.svg import Svg, count, percent, signed

GROUPS = {
    "leader": "The leader",
    "not_distinguishable": "Not distinguishable from the leader",
    "behind": "Behind the leader",
}
FEW_IN_CELL = 8
LEVELS = ("candidate", "checkpoint", "sampler")
WITHOUT_INSIDERS = "-without_insiders"
SLICES = {"all": "All", "ja": "Japanese", "en": "English"}
GOAL = 0.95


def safe(drawing: str) -> SafeString:
    """Drawn by ranking.plots, which escapes every word that it is given."""
    return mark_safe(drawing)  # noqa: S308


def groups(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The main table: rows in groups, strongest first."""
    rows = body["rows"]
    scale = axis_of(rows)
    leader = rows[0]["elo"] if rows and body["votes"] else None
    shown = [_row(row, scale, leader, body) for row in rows]
    if not body["votes"] or body["one_voter"]:
        return [{"name": "Candidates", "rows": shown}]
    return [
        {"name": name, "rows": [one for one in shown if one["group"] == code]}
        for code, name in GROUPS.items()
        if any(one["group"] == code for one in shown)
    ]


def axis_of(rows: list[dict[str, Any]]) -> cells.Axis:
    return cells.Axis([value for row in rows if row["votes"] for value in (row["elo_low"], row["elo_high"])])


def _row(row: dict[str, Any], scale: cells.Axis, leader: float | None, body: dict[str, Any]) -> dict[str, Any]:
    lead = row["group"] == "leader" and body["verdict"]["state"] != "more_voters"
    total = row["wins"] + row["draws"] + row["losses"]
    drawn = (
        cells.interval(scale, row["elo_low"], row["elo"], row["elo_high"], lead=lead, mark=leader)
        if row["votes"]
        else ""
    )
    return {
        **row,
        "lead": lead,
        "best": percent(row["p_best"]),
        "best_bar": safe(cells.bar(row["p_best"], lead=lead, goal=GOAL)) if row["p_best"] is not None else "",
        "forest": safe(drawn),
        "rating": signed(row["elo"]) if row["votes"] else "–",
        "margin": f"±{(row['elo_high'] - row['elo_low']) / 2:.0f}" if row["votes"] else "",
        "interval": f"{signed(row['elo_low'])} to {signed(row['elo_high'])}" if row["votes"] else "–",
        "ranks": _ranks(row) if row["p_best"] is not None else "–",
        "beaten": percent(row["p_beaten_by_leader"]),
        "wdl": safe(cells.win_draw_loss(row["wins"], row["draws"], row["losses"])),
        "wdl_counts": [row["wins"], row["draws"], row["losses"]],
        "win_rate": percent((row["wins"] + row["draws"] / 2) / total) if total else "–",
        "cut_off": percent(row["flags"].get("cut_off", 0.0)),
        "twins_percent": percent(row["twins_share"]),
        "apart": row["island"] != 0 and body["islands"] > 1,
    }


def _ranks(row: dict[str, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low}–{high}"


def heat(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Win rate of the row against the column, with counts; no colour under eight votes."""
    labels = [row["label"] for row in body["rows"]]
    return [
        {"label": label, "cells": [_cell(body, i, j) for j in range(len(labels))]} for i, label in enumerate(labels)
    ]


def _cell(body: dict[str, Any], i: int, j: int) -> dict[str, Any] | None:
    if i == j:
        return None
    n = body["wins"][i][j] + body["wins"][j][i] + body["draws"][i][j]
    if not n:
        return {"css": "none", "rate": "–", "n": ""}
    rate = body["win_rate"][i][j]
    strength = min(4, 1 + int(abs(rate - 0.5) * 8))
    css = "few" if n < FEW_IN_CELL else f"{'r' if rate >= 0.5 else 'b'}{strength if abs(rate - 0.5) > 0.02 else 0}"
    return {"css": css, "rate": f"{100 * rate:.0f}", "n": count(n)}


def looks_figure(body: dict[str, Any]) -> dict[str, Any] | None:
    """P(best) over votes; None before the first look."""
    looks = [(int(one["votes"]), str(one["leader"]), float(one["p_best"])) for one in body["looks"]]
    if not looks:
        return None
    title = f"{looks[-1][1]} stands at {percent(looks[-1][2])} after {count(looks[-1][0])} votes"
    return {
        "title": title,
        "wide": safe(over_votes.draw(looks, title).inline()),
        "narrow": safe(over_votes.draw(looks, title, width=350, height=280).inline()),
        "rows": [(count(votes), leader, percent(p)) for votes, leader, p in looks[::-1][:40]],
    }


def forest_drawing(body: dict[str, Any], title: str) -> Svg:
    rows = [
        forest.Row(row["label"], row["elo_low"], row["elo"], row["elo_high"], lead=row["group"] == "leader")
        for row in body["rows"]
        if row["votes"]
    ]
    return forest.draw(rows, title)


COLUMNS = (
    "label", "elo", "elo_low", "elo_high", "p_best", "p_top3", "rank_low", "rank_high", "votes", "wins", "draws",
    "losses", "both_bad",
)  # fmt: skip


def csv_rows(body: dict[str, Any]) -> list[list[Any]]:
    return [list(COLUMNS), *([row.get(column) for column in COLUMNS] for row in body["rows"])]
