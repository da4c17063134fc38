from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from generation.models import Candidate, Checkpoint

pytestmark = pytest.mark.django_db


def register(label: str, *arguments: str) -> str:
    out = StringIO()
    call_command("register_candidate", label, *arguments, stdout=out)
    return out.getvalue()


def test_a_hub_model_becomes_a_checkpoint_with_a_candidate() -> None:
    register(
        "mine @ 0.7",
        "--checkpoint",
        "mine",
        "--hub",
        "org/model",
        "--revision",
        "abc",
        "--sampler",
        "temperature=0.7",
    )
    made = Candidate.objects.get(label="mine @ 0.7")
    assert (made.checkpoint.source, made.checkpoint.location, made.checkpoint.revision) == (
        "hub",
        "org/model",
        "abc",
    )
    assert made.sampler == {"temperature": 0.7}


def test_a_second_candidate_shares_the_checkpoint() -> None:
    register("hot", "--checkpoint", "mine", "--path", "/models/mine", "--sampler", "temperature=1.3")
    register("greedy", "--checkpoint", "mine", "--sampler", "do_sample=false")
    assert Checkpoint.objects.count() == 1 and Candidate.objects.get(label="greedy").sampler == {
        "do_sample": False
    }


def test_twice_changes_nothing() -> None:
    for _ in range(2):
        register("hot", "--checkpoint", "mine", "--path", "/models/mine", "--sampler", "temperature=1.3")
    assert Candidate.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--checkpoint", "new"], "--hub ORG/MODEL or --path FOLDER"),
        (["--checkpoint", "new", "--path", "/m", "--sampler", "temperature"], "not KEY=VALUE"),
        (["--checkpoint", "new", "--path", "/m", "--sampler", "warmth=1"], "warmth"),
    ],
)
def test_what_cannot_be_registered_says_why_and_leaves_nothing(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        register("x", *arguments)
    assert not Checkpoint.objects.exists() and not Candidate.objects.exists()


def test_other_weights_need_another_name() -> None:
    register("a", "--checkpoint", "mine", "--path", "/one")
    with pytest.raises(CommandError, match="take another name"):
        register("b", "--checkpoint", "mine", "--path", "/two")
