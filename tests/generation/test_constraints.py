"""Insert what must not be: the database refuses, whatever the code above it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models import F

from generation.models import (
    Candidate,
    Checkpoint,
    Job,
    Manifest,
    Plan,
    PlanCandidate,
    PlanPromptSet,
    Prompt,
    PromptSet,
    Response,
)
from tests import factories
from tests.generation.making import claim, finish, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_of_everything() -> None:
    plan = make_plan(n_prompts=2)
    finish(claim(plan, limit=1)[0])
    claim(plan)


def again(model: type[models.Model], **changes: Any) -> None:
    """Insert a copy of the first row with these changes."""
    row = model._default_manager.order_by("pk")[0]
    row.pk = None
    for name, value in changes.items():
        setattr(row, name, value)
    model._default_manager.bulk_create([row])


FORBIDDEN: list[tuple[str, Callable[[], Any]]] = [
    ("checkpoint_source", lambda: Checkpoint.objects.update(source="web")),
    ("checkpoint_not_own_parent", lambda: Checkpoint.objects.update(parent=F("id"))),
    ("checkpoint_name", lambda: again(Checkpoint)),
    ("candidate_settings", lambda: again(Candidate, label="other")),
    ("candidate_label", lambda: again(Candidate, settings_sha="other")),
    ("candidate_kind", lambda: Candidate.objects.update(kind="dragon")),
    ("promptset_slug", lambda: again(PromptSet)),
    ("prompt_key", lambda: again(Prompt, content_sha="other")),
    ("prompt_content", lambda: again(Prompt, key="other")),
    ("prompt_turns", lambda: Prompt.objects.update(turns=0)),
    ("prompt_language", lambda: Prompt.objects.update(language="fr")),
    ("prompt_answer_language", lambda: Prompt.objects.update(answer_language="fr")),
    ("plan_state", lambda: Plan.objects.update(state="lost")),
    ("plan_samples", lambda: Plan.objects.update(samples=0)),
    ("plancandidate_once", lambda: again(PlanCandidate)),
    ("planpromptset_once", lambda: again(PlanPromptSet)),
    ("job_once", lambda: again(Job)),
    ("manifest_sha256", lambda: again(Manifest)),
    ("response_once", lambda: again(Response)),
]


@pytest.mark.parametrize(("constraint", "break_it"), FORBIDDEN, ids=[name for name, _ in FORBIDDEN])
def test_the_database_refuses(constraint: str, break_it: Callable[[], Any]) -> None:
    with pytest.raises(IntegrityError, match=f"generation_{constraint}"), transaction.atomic():
        break_it()


def test_what_others_refer_to_is_not_deleted() -> None:
    for model in (Checkpoint, Candidate, PromptSet, Prompt, Manifest):
        with pytest.raises(models.ProtectedError):
            model._default_manager.all().delete()


def test_a_copy_with_other_names_is_taken() -> None:
    """The control: `again` fails for its constraint, not for another reason."""
    again(Checkpoint, name="other")
    again(Candidate, label="other", settings_sha="other")
    again(Prompt, key="other", content_sha="other")
    again(Job, sample=9)
    again(Response, sample=9)
    assert factories.make_prompt().pk
