"""The normal form under which two answers are the same to a reader: identical ones are twins."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

# After NFKC: marks of one meaning become one mark.
_MARKS = str.maketrans(
    {
        **dict.fromkeys("“”„«»「」『』", '"'),
        **dict.fromkeys("‘’‚`´", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("〜∼", "~"),
        "、": ",", "。": ".", "・": "·", "…": "...",
    }
)  # fmt: skip
_WIDE = r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_SPACE_BY_WIDE = re.compile(rf"(?<={_WIDE})\s+|\s+(?={_WIDE})")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[,.!?;:])")
_END = ".,!?;:·~ "


def normal_form(text: str) -> str:
    """NFKC, one spelling of each mark, single spaces (none beside Japanese), no marks at the end."""
    text = unicodedata.normalize("NFKC", text).translate(_MARKS)
    text = _SPACE_BY_WIDE.sub("", _SPACE.sub(" ", text).strip())
    text = _SPACE_BEFORE_MARK.sub("", text)
    return text.rstrip(_END) or text


def text_sha(texts: Sequence[str]) -> str:
    return _sha(texts)


def norm_sha(texts: Sequence[str]) -> str:
    return _sha([normal_form(text) for text in texts])


def _sha(texts: Sequence[str]) -> str:
    # \0 cannot be in a stored text, so two turns are never one.
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
