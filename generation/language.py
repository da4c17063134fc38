"""Which language a prompt is written in, where its file does not say."""

from __future__ import annotations

import re

from generation.errors import RowError

# What is quoted or is code may well be in another language than the sentence around it.
_QUOTED = re.compile(r"```.*?```|`[^`]*`|「[^」]*」|『[^』]*』|“[^”]*”|\"[^\"]*\"|https?://\S+", re.DOTALL)
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30ff\uff66-\uff9d]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]")
_OTHER = re.compile(r"[\u0370-\u1fff\uac00-\ud7af]")


def detect(text: str) -> str:
    """Japanese where there is kana, English where there are Latin letters only; else the file has to say."""
    own = _QUOTED.sub(" ", text)
    for part in (own, text):
        if _KANA.search(part):
            return "ja"
        if _HAN.search(part) or _OTHER.search(part):
            break
        if _LATIN.search(part):
            return "en"
    raise RowError(
        "language", f"cannot be told from {text[:30]!r}. Add a language field, or give --language ja or en."
    )
