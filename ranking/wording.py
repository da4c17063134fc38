"""The sentences of the dashboard, each computed from the figures that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ranking.plots.svg import count, percent

Body = dict[str, Any]
P_ASKED = 0.95
FEW_VOTERS = 8
LOOKS_IN_A_ROW = 5
VOTES_EACH = 100


class Verdict(NamedTuple):
    heading: str
    finding: str  # the second line of the heading, may be empty
    lede: str


def plural(number: float, one: str, many: str = "") -> str:
    return f"{count(number)} {one if round(number) == 1 else many or one + 's'}"


def verdict(body: Body) -> Verdict:
    state = body["verdict"]["state"]
    if state == "no_votes":
        return _no_votes(body)
    if state == "more_voters":
        return _more_voters(body)
    if state in ("leads", "named"):
        return _leads(body)
    return _no_winner(body)


def _no_votes(body: Body) -> Verdict:
    ready = plural(len(body["rows"]), "candidate is", "candidates are")
    return Verdict(
        "No votes yet",
        "",
        f"{ready} ready, none has been compared. Strengths appear with the first vote; "
        "a probability to be the best needs at least two voters.",
    )


def _more_voters(body: Body) -> Verdict:
    first, voters, prompts = body["verdict"]["leader"], body["voters"], body["prompts"]
    if voters <= 1:
        said = f"{first} stands highest for the one voter so far" if first else "There is one voter so far"
        why = "whether others agree can’t be told from one person, so no probability is given."
        return Verdict(
            "More voters needed:", f"all {plural(body['votes'], 'vote')} are one person’s", f"{said}; {why}"
        )
    said = f"{first} stands highest" if first else "The votes are few"
    seen = f"{plural(voters, 'voter')} on {plural(prompts, 'prompt')}"
    return Verdict(
        "More voters needed",
        "",
        f"{said}, but {plural(body['votes'], 'vote')} by {seen} don’t carry a probability yet.",
    )


def _no_winner(body: Body) -> Verdict:
    found = body["verdict"]
    leads = found["leader"] and found["p_best"] is not None
    lede = f"{found['leader']} is ahead with {percent(found['p_best'])} to be the best" if leads else ""
    if leads and found["p_best"] >= P_ASKED:
        lede += f"; {steadiness(body)}."
    elif leads:
        lede += f"; the round asks for {percent(P_ASKED)}."
        lede += f" {found['second']} could still be it." if found["second"] else ""
    return Verdict("No separable winner yet:", _missing(body), f"{lede} {_advice(body)}".strip())


def _missing(body: Body) -> str:
    """What it takes, as a range where there is one."""
    found = body["verdict"]
    if found["limits"] in ("voters", "prompts"):
        return f"more {found['limits']} needed"
    low, high = found["votes_needed_low"], found["votes_needed_high"]
    if not low:
        return "more votes needed"
    if high and rounded(high) > rounded(low):
        return f"about {count(rounded(low))} to {count(rounded(high))} more votes"
    return f"about {count(rounded(low))} more votes" + ("" if high else ", or far more")


def _advice(body: Body) -> str:
    limits = body["verdict"]["limits"]
    if limits == "voters":
        return (
            f"More votes by the same people would help little: {plural(body['voters'], 'voter')} of unlike taste "
            f"and activity weigh as {count(body['k_eff_voters'])}."
        )
    if limits == "prompts":
        return (
            f"More votes on the same prompts would help little: {plural(body['prompts'], 'prompt')} "
            f"weigh as {count(body['k_eff_prompts'])}."
        )
    return ""


def rounded(votes: float) -> int:
    """Two leading digits: a forecast of votes is an order of magnitude."""
    step = int(10 ** max(len(str(round(votes))) - 2, 0))
    return max(round(votes / step), 1) * step


def _leads(body: Body) -> Verdict:
    found = body["verdict"]
    sure = f"{percent(found['p_best'])} to be the best"
    lede = ""
    if found["second"] and found["p_beats_second"] is not None:
        ahead = found["lead_elo"] or 0
        lede = f"It beats the second, {found['second']}, with {percent(found['p_beats_second'])} probability"
        lede += f" and stands {plural(ahead, 'rating point')} above it." if round(ahead) >= 1 else "."
    if found["state"] == "leads":
        lede += f" {steadiness(body).capitalize()}."
    if found["few_voters"]:
        heading = f"These {plural(body['voters'], 'voter')} like {found['leader']} best:"
        lede += f" They weigh as {count(body['k_eff_voters'])} only: confirm it with new voters before you release."
        return Verdict(heading, sure, lede.strip())
    lede += " The choice was made on these prompts, so confirm it on prompts that it has never seen."
    return Verdict(f"{found['leader']} leads:", sure, lede.strip())


def looks_held(body: Body) -> int:
    """At how many looks in a row, up to the last, the same leader had the probability that is asked for."""
    held = 0
    looks = body["looks"]
    for look in reversed(looks):
        if look["leader"] != looks[-1]["leader"] or look["p_best"] < P_ASKED:
            break
        held += 1
    return held


def steadiness(body: Body) -> str:
    held = min(looks_held(body), LOOKS_IN_A_ROW)
    return (
        f"it is named once {percent(P_ASKED)} holds at {LOOKS_IN_A_ROW} looks in a row, "
        f"{held} so far, with {VOTES_EACH} votes or more for it and for the second"
    )


def table_heading(body: Body) -> str:
    state, leader = body["verdict"]["state"], body["verdict"]["leader"]
    if state == "no_votes":
        return "The candidates"
    if state == "more_voters" or not leader:
        return "Strengths so far, without a probability"
    open_ = sum(row["group"] == "not_distinguishable" for row in body["rows"])
    if not open_:
        return "No other candidate is likely to be the best"
    others = plural(open_, "other can’t be told from it", "others can’t be told from it")
    return f"{leader} is ahead; {others} yet"


def looks_heading(body: Body) -> str:
    looks = body["looks"]
    if not looks:
        return "P(best) over votes appears with the first look"
    last, held = looks[-1], looks_held(body)
    if held:
        since = count(looks[-held]["votes"])
        return f"{last['leader']} passed {percent(P_ASKED)} at {since} votes and stayed above"
    return f"{last['leader']} is ahead, not there yet: {percent(last['p_best'])}, {percent(P_ASKED)} is asked for"


def board_heading(body: Body, *, slice_: str) -> str:
    where = {"ja": "In Japanese ", "en": "In English "}.get(slice_.split("-")[0], "")
    if not body["votes"] or not body["rows"]:
        return f"{where}no votes yet" if where else "No votes yet"
    first = next((row for row in body["rows"] if row["group"] == "leader"), body["rows"][0])
    if first["p_best"] is None:
        return f"{where}{first['label']} is ahead; no probability yet"
    return f"{where}{first['label']} is ahead: {percent(first['p_best'])} to be the best"


def matrix_heading(body: Body) -> str:
    """How often the strongest wins, counted over those that it has met."""
    rates: Sequence[Sequence[float | None]] = body["win_rate"]
    met = [rate for rate in rates[0] if rate is not None] if rates else []
    if not met:
        return "Win rates appear with the first votes"
    won, label = sum(rate > 0.5 for rate in met), body["rows"][0]["label"]
    if won == len(met):
        return f"{label} wins more often than it loses against all {len(met)} it has met"
    return f"{label} wins more often than it loses against {won} of the {len(met)} it has met"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 60:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{round(hours / 24)} days"


def plans_heading(running: Sequence[tuple[str, Any]]) -> str:
    """`running`: name and generation.queries.Progress of each running plan."""
    if not running:
        return "No plan is running"
    if len(running) > 1:
        left = sum(progress.pending + progress.leased for _, progress in running)
        return f"{len(running)} plans are running: {plural(left, 'response')} to go"
    name, progress = running[0]
    if progress.seconds_left is None:
        return f"{name}: {plural(progress.pending + progress.leased, 'response')} to go, none made for five minutes"
    return f"{name}: done in about {duration(progress.seconds_left)}"


def counts(body: Body) -> list[tuple[str, str]]:
    """What came with the votes."""
    made = [
        ("Ties, both bad among them", percent(body["tie_rate"])),
        ("Both bad", percent(body["both_bad_share"])),
        ("Left answer chosen, of decided votes", percent(body["left_share"])),
    ]
    more = [("Skipped", "skips"), ("Could not judge", "cannot_judge"), ("Reported", "reports")]
    return made + [(name, count(body[key] or 0)) for name, key in more]
