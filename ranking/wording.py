"""Sentences of the dashboard, computed from the same numbers as the figures under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ranking.plots.svg import count, percent

FEW_PER_CANDIDATE = 30


@dataclass(frozen=True)
class Check:
    """One line of "before you decide": kind yes, mind, no or open."""

    kind: str
    name: str
    detail: str
    href: str = ""


def plural(n: int, one: str, many: str = "") -> str:
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def headline(body: dict[str, Any]) -> str:
    """The finding, as a title. "No separable winner yet" is a finding too."""
    verdict = body["verdict"]
    state, leader, sure = verdict["state"], verdict["leader"], percent(verdict["p_best"])
    if state == "no_votes":
        return "No votes yet"
    if state == "more_voters":
        return "More voters needed: this is one person’s taste so far"
    if state == "named":
        return f"{leader} is the one to release: {sure} to be the best"
    if state == "leads":
        return f"{leader} leads: {sure} to be the best"
    low = verdict["votes_needed_low"]
    if verdict["limits"] == "voters":
        return "No separable winner yet: more voters are needed"
    if verdict["limits"] == "prompts":
        return "No separable winner yet: more prompts are needed"
    return f"No separable winner yet: about {count(low)} more votes" if low else "No separable winner yet"


def lede(body: dict[str, Any]) -> str:
    verdict = body["verdict"]
    state, leader, second = verdict["state"], verdict["leader"], verdict["second"]
    if state == "no_votes":
        return "Share the link of the voting page. Strengths are shown from the first vote, with how sure they are."
    if state == "more_voters":
        return (
            f"{leader} is ahead in the eyes of one voter. How sure that is cannot be said before somebody else votes: "
            "people differ in taste more than votes differ by chance."
        )
    beats = f"It beats the second, {second}, with {percent(verdict['p_beats_second'])} probability." if second else ""
    if state in ("named", "leads"):
        few = " These few people like it: confirm it with new voters." if verdict["few_voters"] else ""
        return f"{beats} The choice was made on these prompts, so confirm it on prompts that it has never seen.{few}"
    return (
        f"{leader} is ahead with {percent(verdict['p_best'])} to be the best; a winner needs 95% at five looks in a "
        f"row. {beats} {limits(body)}".strip()
    )


def limits(body: dict[str, Any]) -> str:
    """What would help most, in words, as a range where there is one."""
    verdict = body["verdict"]
    low, high = verdict["votes_needed_low"], verdict["votes_needed_high"]
    what = {
        "voters": "What limits it is the number of voters: more votes of the same people help little.",
        "prompts": "What limits it is the number of prompts: more votes on the same ones help little.",
        "votes": "What limits it is the number of votes.",
    }.get(verdict["limits"] or "", "")
    if low is None:
        return what
    if high is None:
        return f"{what} About {count(low)} more votes, if new voters and prompts come with them; the same ones may never settle it."
    span = f"{count(low)} to {count(high)}" if high > low else count(low)
    return f"{what} About {span} more votes may settle it."


def checks(body: dict[str, Any]) -> list[Check]:
    """Only what is really computed; in the order in which a maintainer asks."""
    verdict = body["verdict"]
    if verdict["state"] == "no_votes":
        return []
    return [*_sure(body), *_voters(body), *_connected(body), *_ties(body), *_sides(body)]


def _sure(body: dict[str, Any]) -> list[Check]:
    p = body["verdict"]["p_best"]
    if p is None:
        return [Check("no", "Not sure at all yet", "one voter, or prompts of one kind only")]
    detail = f"{percent(p)} to be the best, 95% asked for"
    if body["verdict"]["state"] == "named":
        return [Check("yes", "Sure enough", f"{detail}, five looks in a row", "#p-best")]
    return [Check("no" if p < 0.95 else "open", "Not sure enough" if p < 0.95 else "Sure at this look", detail, "#p-best")]


def _voters(body: dict[str, Any]) -> list[Check]:
    detail = (
        f"{plural(body['voters'], 'voter')} weigh as {body['k_eff_voters']:.0f}, "
        f"{plural(body['prompts'], 'prompt')} as {body['k_eff_prompts']:.0f}"
    )
    few = body["k_eff_voters"] < 8
    return [Check("mind" if few else "yes", "Few voters carry it" if few else "Enough different voters", detail)]


def _connected(body: dict[str, Any]) -> list[Check]:
    if body["islands"] > 1:
        return [Check("no", "Not all comparable", f"{body['islands']} groups of candidates never met", "#candidates")]
    weak = [row["label"] for row in body["rows"] if row["votes"] < FEW_PER_CANDIDATE and not row["retired"]]
    if weak:
        return [Check("mind", f"{plural(len(weak), 'candidate')} with few votes", f"fewer than {FEW_PER_CANDIDATE} each")]
    return [Check("yes", "Pairs all connected", "every candidate can be compared with every other")]


def _ties(body: dict[str, Any]) -> list[Check]:
    p = body.get("tie_p_value")
    share = percent(body["tie_rate"])
    if p is not None and p < 0.01:
        return [Check("mind", "Tie rates differ", f"{share} of votes; some candidates tie more than their strength explains")]
    return [Check("yes", "Ties fall evenly", f"{share} of votes, both bad among them")] if body["tie_rate"] else []


def _sides(body: dict[str, Any]) -> list[Check]:
    if body.get("left_share") is None:
        return []
    return [Check("open", "Left answer chosen", f"{100 * body['left_share']:.1f}% of decided votes; sides are random")]


def rows_title(body: dict[str, Any]) -> str:
    groups = [row["group"] for row in body["rows"]]
    rivals = groups.count("not_distinguishable")
    if not body["votes"]:
        return f"{plural(len(groups), 'candidate')} wait for their first vote"
    if body["one_voter"]:
        return "Strengths in the eyes of one voter"
    leader = body["rows"][0]["label"] if body["rows"] else ""
    if not rivals:
        return f"No other candidate is likely to be better than {leader}"
    return f"{leader} is ahead; {plural(rivals, 'other')} cannot be told from it yet"


