"""Long answers are cut after a block or a list item, so that a reader decides whether to read on.

Works on our own safe HTML (generation.render): well formed, few tags, no attribute but start, class and tabindex.
"""

from __future__ import annotations

import re

# Characters of visible text; a Japanese character says more than a Latin one.
LONGEST = {"ja": 600, "en": 1200}
NOT_WORTH_FOLDING = 200
_TAG = re.compile(r"<(/?)([a-z0-9]+)([^>]*)>")
_START = re.compile(r'start="(\d+)"')
_VOID = {"br", "hr"}
_ENTITY = re.compile(r"&#?\w+;")


def length(html: str) -> int:
    return len(_ENTITY.sub(".", _TAG.sub("", html)).strip())


def fold(html: str, *, language: str) -> tuple[str, str]:
    """(shown, rest): cut after the first block or item that reaches the limit; rest is empty where little is left."""
    limit, shown, end, items = LONGEST.get(language, LONGEST["en"]), 0, 0, 0
    opened: list[re.Match[str]] = []
    for tag in _TAG.finditer(html):
        shown += len(_ENTITY.sub(".", html[end : tag.start()]))
        end = tag.end()
        if tag[2] in _VOID:
            continue
        if not tag[1]:
            items = 0 if not opened else items
            opened.append(tag)
            continue
        opened.pop()
        at_item = tag[2] == "li" and len(opened) == 1
        items += at_item
        if shown >= limit and (at_item or not opened) and length(html[end:]) >= NOT_WORTH_FOLDING:
            return _cut(html, end, opened[0] if opened else None, items)
    return html, ""


def _cut(html: str, end: int, around: re.Match[str] | None, items: int) -> tuple[str, str]:
    """Cut at `end`; a list that is cut is closed, and opened again with its next number."""
    if around is None or html[end:].lstrip().startswith("</"):
        # After the last item the list itself ends: what follows it is the rest.
        closing = html.index(">", end) + 1 if around is not None else end
        return html[:closing], html[closing:]
    first = _START.search(around[3])
    number = f' start="{(int(first[1]) if first else 1) + items}"' if around[2] == "ol" else ""
    return f"{html[:end]}</{around[2]}>", f"<{around[2]}{number}>{html[end:]}"
