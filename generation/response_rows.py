"""One response of a file, in the shape in which all formats are imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """`prompt` has the fields of prompts.build where the file brings it; else the set has it already."""

    checkpoint: Mapping[str, Any]
    candidate: Mapping[str, Any]
    prompt_key: tuple[str, str, str]  # set, key, language
    prompt: Mapping[str, Any] | None
    sample: int
    turns: Sequence[Mapping[str, Any]]
    seed: int | None
    manifest: Mapping[str, Any]
