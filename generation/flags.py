"""What the checks find in an answer: each a place (turn, start, end) and whether it is certain (`hard`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Flag(TypedDict):
    code: str
    turn: int
    start: int
    end: int
    hard: bool


# Set by generation.responses: only the other answers to a prompt can tell.
TWIN = Flag(code="twin", turn=0, start=0, end=0, hard=True)


def find(*, turns: Sequence[Mapping[str, Any]]) -> list[Flag]:
    found = []
    for number, turn in enumerate(turns):
        text = turn["text"]
        if not text.strip():
            found.append(Flag(code="empty", turn=number, start=0, end=len(text), hard=True))
        # Only the engine knows: a missing full stop is no sign, many answers end without one.
        elif turn.get("finish") == "length":
            found.append(Flag(code="cut_off", turn=number, start=len(text), end=len(text), hard=True))
    return found
