"""What a volunteer sees, as plain values for the templates. No id of ours is in it but the pair's token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from voting import catalogue, folds
from voting.ballots import Recorded
from voting.pairs import Own, Table

BLOCK = 20
QUESTIONS = {"ja": "どちらの回答がよいですか？", "en": "Which answer is better?"}
NOTICES = frozenset(("undone", "expired", "rate", "replay_differs"))


class Shown(NamedTuple):
    """A response beside what it answers; HTML as it was stored, a string a turn."""

    html: list[str]
    language: str
    answer_language: str
    system: str
    prompt_html: list[str]
    content_warning: str


_SHOWN = """
SELECT r.id, r.html, p.language, coalesce(p.answer_language, p.language), coalesce(p.system, ''), p.html,
       p.content_warning
  FROM generation_response r JOIN generation_prompt p ON p.id = r.prompt_id WHERE r.id = ANY(%s)
"""


def read(pairs: Iterable[Own]) -> dict[int, Shown]:
    """One statement for both pairs, prompts included."""
    ids = [response for pair in pairs for response in (pair.left_response, pair.right_response)]
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN, [ids])
        # Raw SQL: jsonb arrives as text.
        return {
            row[0]: Shown._make((json.loads(row[1]), *row[2:5], json.loads(row[5]), row[6]))
            for row in cursor.fetchall()
        }


def page(
    *,
    table: Table,
    interface: str,
    strip: dict[str, Any] | None = None,
    notice: str | None = None,
) -> dict[str, Any]:
    """The context of compare.html and _round.html. The table has a pair."""
    shown = read(table.pairs)
    pairs = [_pair(own, shown, interface) for own in table.pairs]
    return {
        "pair": pairs[0],
        "prefetched": pairs[1] if len(pairs) > 1 else None,
        "strip": strip,
        "progress": progress(table.votes),
        "question": pairs[0]["question"],
        "notice": notice if notice in NOTICES else None,
    }


def progress(votes: int) -> dict[str, int]:
    """`block_done` of `goal`: after a full block it stays full until the next vote."""
    block = votes % BLOCK
    return {
        "done": votes,
        "goal": BLOCK,
        "block_done": block or (BLOCK if votes else 0),
        "total": votes,
    }


def strip(recorded: Recorded | None, *, sent: str | None = None) -> dict[str, Any] | None:
    """What stands above the next pair: the vote on the books, and whether it is the one that was sent."""
    if recorded is None:
        return None
    differs = sent is not None and sent != recorded.outcome
    live = catalogue.rounds().get(recorded.round_id)
    return {
        "outcome": recorded.outcome,
        "token": str(recorded.token),
        "undo": live is not None and live.open,
        "replay": recorded.replay,
        "recorded_as": recorded.outcome if differs else None,
    }


def _pair(own: Own, shown: dict[int, Shown], interface: str) -> dict[str, Any]:
    left, right = shown[own.left_response], shown[own.right_response]
    turns = len(left.prompt_html)
    return {
        "token": str(own.token),
        "question": _question(own.round_id, interface),
        "prompt_language": left.language,
        "answer_language": left.answer_language,
        "system_html": _plain(left.system) if left.system else None,
        "earlier": [
            {
                "prompt_html": _safe(left.prompt_html[k]),
                "left_html": _safe(_turn(left.html, k)),
                "right_html": _safe(_turn(right.html, k)),
            }
            for k in range(turns - 1)
        ],
        "prompt_html": _safe(left.prompt_html[-1]),
        "left": _answer(_turn(left.html, turns - 1), left.answer_language),
        "right": _answer(_turn(right.html, turns - 1), left.answer_language),
        "turn_number": turns,
        "content_warning": left.content_warning,
    }


def _turn(html: Sequence[str], k: int) -> str:
    # An imported answer may have fewer turns than its prompt.
    return html[k] if k < len(html) else ""


def _question(round_id: int, interface: str) -> str:
    live = catalogue.rounds().get(round_id)
    return (live.questions.get(interface) if live else "") or QUESTIONS[interface]


def _answer(html: str, language: str) -> dict[str, Any]:
    head, rest = folds.fold(html, language=language)
    return {
        "html": _safe(head),
        "chars": folds.length(html),
        "rest_html": _safe(rest) if rest else None,
        "rest_chars": folds.length(rest) if rest else 0,
    }


def _safe(html: str) -> SafeString:
    return mark_safe(html)  # noqa: S308 made and cleaned by generation.render when it was stored


def _plain(text: str) -> SafeString:
    """A system prompt as text: escaped, line by line."""
    return mark_safe(escape(text).replace("\n", "<br>"))  # noqa: S308 escaped
