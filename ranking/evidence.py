"""The checks beside the verdict: each is computed from the figures, none is shown that was not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ranking.plots.svg import count, percent
from ranking.wording import FEW_VOTERS, LOOKS_IN_A_ROW, P_ASKED, VOTES_EACH, Body, looks_held, plural

Mark = Literal["yes", "mind", "no", "open"]
SPOKEN: dict[str, str] = {"yes": "Passed", "mind": "Mind", "no": "Not yet", "open": "Open"}
TIES_DIFFER = 0.01


class Check(NamedTuple):
    mark: Mark
    title: str
    detail: str

    @property
    def spoken(self) -> str:
        return SPOKEN[self.mark]


def checks(body: Body, slices: Mapping[str, Body]) -> list[Check]:
    """`slices`: the bodies of ja, en and all-without_insiders where there are any."""
    if body["verdict"]["state"] == "no_votes":
        return []
    made = [
        _sure_enough(body),
        _voters(body),
        _connected(body),
        _contenders(body),
        _head_to_head(body),
        _languages(body, slices),
        _insiders(body, slices),
        _sides(body),
        _ties(body),
        _cut_off(body),
    ]
    found = [check for check in made if check]
    # What stands against a decision first: a list of ten ticks hides the one that is none.
    return sorted(found, key=lambda check: ("no", "mind", "open", "yes").index(check.mark))


def _sure_enough(body: Body) -> Check | None:
    p, held = body["verdict"]["p_best"], looks_held(body)
    if p is None:
        return None
    if body["verdict"]["state"] == "named":
        return Check("yes", "Sure enough", f"{percent(p)} to be the best; at {LOOKS_IN_A_ROW} looks in a row")
    if p >= P_ASKED:
        return Check("open", "Sure enough, not yet for long", f"{held} of {LOOKS_IN_A_ROW} looks in a row")
    return Check("no", "Not sure enough", f"{percent(p)} to be the best, {percent(P_ASKED)} asked for")


def _voters(body: Body) -> Check:
    weigh = (
        f"{plural(body['voters'], 'voter')} of unlike activity weigh as {count(body['k_eff_voters'] or 0)}"
    )
    if body["one_voter"] or body["voters"] < 2:
        return Check("no", "One voter only", "intervals don’t know yet how far people differ")
    if body["k_eff_voters"] < FEW_VOTERS:
        return Check("mind", "Few voters", f"{weigh}; {FEW_VOTERS} asked for")
    return Check("yes", "Voters enough to speak of people", weigh)


def _connected(body: Body) -> Check:
    if body["islands"] > 1:
        return Check(
            "mind", f"{body['islands']} groups that never met", "no vote links them: not comparable yet"
        )
    return Check("yes", "All candidates connected", "votes link each of them to every other")


def _contenders(body: Body) -> Check | None:
    """The leader and the runner-up in P(best)."""
    ranked = sorted((r for r in body["rows"] if r["p_best"] is not None), key=lambda r: -r["p_best"])[:2]
    if len(ranked) < 2:
        return None
    fewest = min(row["votes"] for row in ranked)
    if fewest < VOTES_EACH:
        return Check(
            "no", "Contenders with few votes", f"{count(fewest)} for one of the first two, {VOTES_EACH} asked"
        )
    return Check(
        "yes", "Votes enough for the first two", f"{count(fewest)} or more each, {VOTES_EACH} asked for"
    )


def _head_to_head(body: Body) -> Check | None:
    rows, wins = body["rows"], body["wins"]
    lead = next((k for k, row in enumerate(rows) if row["group"] == "leader"), None)
    if lead is None or body["verdict"]["p_best"] is None:
        return None
    rivals = [k for k, r in enumerate(rows) if k != lead and wins[lead][k] + wins[k][lead] > 0]
    rivals = [k for k in rivals if rows[k]["group"] == "not_distinguishable" or k == (1 if lead == 0 else 0)]
    lost = [rows[k]["label"] for k in rivals if wins[lead][k] <= wins[k][lead]]
    if not rivals:
        return None
    if lost:
        return Check("mind", "Not ahead head to head", f"no more wins than losses against {listed(lost)}")
    return Check(
        "yes", "Ahead head to head", f"more wins than losses against {plural(len(rivals), 'contender')}"
    )


def listed(labels: Sequence[str], most: int = 2) -> str:
    rest = len(labels) - most
    shown = ", ".join(labels[:most])
    return f"{shown} and {plural(rest, 'other')}" if rest > 0 else shown


def leader_of(body: Body | None) -> dict[str, Any] | None:
    """Who is ahead in a slice, if it has a vote at all."""
    if not body or not body["votes"] or not body["rows"]:
        return None
    rows: list[dict[str, Any]] = body["rows"]
    return next((row for row in rows if row["group"] == "leader"), rows[0])


def _languages(body: Body, slices: Mapping[str, Body]) -> Check | None:
    ja, en, overall = leader_of(slices.get("ja")), leader_of(slices.get("en")), leader_of(body)
    if not (ja and en and overall):
        return None
    if ja["id"] == en["id"] == overall["id"]:
        return Check("yes", "First in Japanese and in English", "fitted on each language’s votes alone")
    return Check("mind", "Not the same first in both languages", f"ja: {ja['label']}; en: {en['label']}")


def _insiders(body: Body, slices: Mapping[str, Body]) -> Check | None:
    without = slices.get("all-without_insiders")
    theirs, overall = leader_of(without), leader_of(body)
    if not (without and theirs and overall) or without["votes"] == body["votes"]:
        return None
    votes = plural(body["votes"] - without["votes"], "vote")
    if theirs["id"] == overall["id"]:
        return Check(
            "yes", "Same first without insiders", f"{votes} by people with dashboard access left out"
        )
    return Check("mind", "Insiders change who is first", f"without their {votes}: {theirs['label']}")


def _sides(body: Body) -> Check | None:
    decided, share = sum(row["wins"] for row in body["rows"]), body["left_share"]
    if share is None or decided < 20:
        return None
    off = abs(share - 0.5) > 1.96 * math.sqrt(0.25 / decided)
    said = f"{100 * share:.1f}% of {count(decided)} decided votes"
    if off:
        return Check(
            "mind", f"A habit for the {'left' if share > 0.5 else 'right'}", f"left was chosen in {said}"
        )
    return Check("yes", "No habit for one side", f"left was chosen in {said}")


def _ties(body: Body) -> Check | None:
    p, rate = body["tie_p_value"], body["tie_rate"]
    if p is None or rate is None:
        return None
    if p < TIES_DIFFER:
        return Check(
            "mind", "Some candidates tie more often", "P(best) is the smaller of two ways to count ties"
        )
    return Check(
        "yes", "Ties don’t favour a candidate", f"{percent(rate)} of votes, alike for all (p = {p:.2f})"
    )


def _cut_off(body: Body) -> Check | None:
    """The leader's share of cut-off answers against the others' together; normal interval of the difference."""
    lead = next((row for row in body["rows"] if row["group"] == "leader"), None)
    others = [row for row in body["rows"] if row is not lead and row["responses"]]
    total = sum(row["responses"] for row in others)
    if lead is None or lead["p_best"] is None or not lead["responses"] or not total:
        return None
    own, n = lead["flags"]["cut_off"], lead["responses"]
    rest = sum(row["flags"]["cut_off"] * row["responses"] for row in others) / total
    error = math.sqrt(own * (1 - own) / n + rest * (1 - rest) / total)
    said = f"{100 * own:.1f}% of its answers, {100 * rest:.1f}% of the others’"
    if own - rest > 1.96 * error and own > rest:
        return Check("mind", "It is cut off more often", said)
    return Check("yes", "Not cut off more often", said)
