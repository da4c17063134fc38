from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from generation.demo_candidates import register_demo_candidates
from generation.engine.presets import PRESETS
from generation.models import Candidate, Response

pytestmark = pytest.mark.django_db

BUNDLE = Path("demo/responses.jsonl")


def test_eight_candidates_on_two_checkpoints_and_four_without_gemma() -> None:
    assert len(register_demo_candidates(with_gemma=False)) == 4
    made = register_demo_candidates(with_gemma=True)
    assert len({one.checkpoint for one in made}) == 2 and len(made) == Candidate.objects.count() == 8


def test_their_presets_exist() -> None:
    named = {one.template for one in register_demo_candidates(with_gemma=True) if one.template}
    assert {name.removeprefix("preset:") for name in named} <= set(PRESETS) and len(named) == 2


def test_the_bundle_is_of_these_candidates_and_holds_no_empty_answer() -> None:
    call_command("import_prompts", "demo/prompts.jsonl", set="demo")
    call_command("import_responses", BUNDLE)
    bundled = set(Candidate.objects.values_list("label", "settings_sha"))
    register_demo_candidates(with_gemma=True)
    assert bundled == set(Candidate.objects.values_list("label", "settings_sha"))
    assert Response.objects.count() >= 240
    assert not Response.objects.filter(flags__contains=[{"code": "empty"}]).exists()


def test_some_checkpoint_of_the_bundle_answers_japanese_in_japanese() -> None:
    rows = [json.loads(line) for line in BUNDLE.open(encoding="utf-8")]
    asked = [
        row for row in rows if row["prompt"]["language"] == "ja" and "Gemma" in row["candidate"]["label"]
    ]
    with_kana = [row for row in asked if any("ぁ" <= char <= "ヿ" for char in row["turns"][0]["text"])]
    assert len(with_kana) > 0.9 * len(asked) > 90
