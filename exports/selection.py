"""Which pairs go into a file, and how many each rule leaves out (the funnel)."""

from __future__ import annotations

from dataclasses import dataclass, field

from exports.formats import dpo
from exports.pairs import Pair, merge
from exports.queries import Conversation, ballots, conversations
from voting.models import Round

# In the order in which they are asked; the words are for people.
RULES = {
    "undecided": "as many votes for one answer as for the other",
    "hidden": "an answer was hidden by a maintainer",
    "empty": "an answer is empty",
    "identical": "both answers read the same",
    "own_history": "the two conversations differ before the judged answer",
}


@dataclass
class Selection:
    """Pairs to write, in the order in which they are written, and what was left out."""

    votes: int = 0
    pairs: int = 0
    left_out: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    kept: list[tuple[Pair, Conversation, Conversation]] = field(default_factory=list)

    @property
    def funnel(self) -> list[tuple[str, int]]:
        return [(RULES[code], n) for code, n in self.left_out.items() if n]


def select(round_: Round) -> Selection:
    """Merge the round's live votes into pairs and keep those that teach something."""
    merged = list(merge(ballots(round_)))
    said = conversations(sorted({response for pair in merged for response in (pair.low, pair.high)}))
    selection = Selection(votes=sum(pair.votes for pair in merged), pairs=len(merged))
    for pair in merged:
        if reason := _reason_to_leave_out(pair, said[pair.low], said[pair.high]):
            selection.left_out[reason] += 1
        elif pair.chosen is not None and pair.rejected is not None:
            selection.kept.append((pair, said[pair.chosen], said[pair.rejected]))
    return selection


def _reason_to_leave_out(pair: Pair, low: Conversation, high: Conversation) -> str | None:
    if pair.chosen is None:
        return "undecided"
    if low.hidden or high.hidden:
        return "hidden"
    if not all(one.texts and one.texts[-1].strip() for one in (low, high)):
        return "empty"
    if low.norm_sha == high.norm_sha or low.texts[-1] == high.texts[-1]:
        return "identical"
    # DPO wants one prompt with two answers; a second turn follows each candidate's own first answer.
    if dpo.history(low) != dpo.history(high):
        return "own_history"
    return None
