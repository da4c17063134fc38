"""Long answers are cut after a block, so that a reader decides whether to read on. Works on our own safe HTML."""

from __future__ import annotations

import re

# Characters of visible text; a Japanese character says more than a Latin one.
LONGEST = {"ja": 600, "en": 1200}
NOT_WORTH_FOLDING = 200
_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_VOID = {"br", "hr"}
_ENTITY = re.compile(r"&#?\w+;")


def length(html: str) -> int:
    return len(_ENTITY.sub(".", _TAG.sub("", html)).strip())


def fold(html: str, *, language: str) -> tuple[str, str]:
    """(shown, rest): cut after the first block that reaches the limit; rest is empty where it is not worth it."""
    limit, shown = LONGEST.get(language, LONGEST["en"]), 0
    end = depth = 0
    for tag in _TAG.finditer(html):
        shown += len(_ENTITY.sub(".", html[end : tag.start()]))
        end = tag.end()
        if tag[2] in _VOID:
            continue
        depth += -1 if tag[1] else 1
        if depth == 0 and shown >= limit and length(html[end:]) >= NOT_WORTH_FOLDING:
            return html[:end], html[end:]
    return html, ""
