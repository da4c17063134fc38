"""Plans with jobs, and the tiny model as a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generation import jobs, plans
from generation.models import Candidate, Checkpoint, Job, Plan
from tests import factories


def make_plan(
    *, n_prompts: int = 3, samples: int = 1, candidates: list[Candidate] | None = None, **prompt: Any
) -> Plan:
    """A running plan; without `candidates` one on a checkpoint that nobody loads."""
    if candidates is None:
        checkpoint = factories.make_checkpoint(source="path", location="/nowhere")
        candidates = [factories.make_candidate(checkpoint=checkpoint)]
    prompt_set = factories.make_prompt_set()
    for _ in range(n_prompts):
        factories.make_prompt(prompt_set, **prompt)
    name = f"plan of {prompt_set}"
    plan = plans.create(name=name, candidates=candidates, prompt_sets=[prompt_set], samples=samples)
    plans.start(plan=plan)
    return plan


def claim(plan: Plan, limit: int = 100, lease_seconds: int = 60) -> list[Job]:
    checkpoint = Checkpoint.objects.get(candidates__plancandidate__plan=plan)
    return jobs.claim(checkpoint_id=checkpoint.pk, limit=limit, lease_seconds=lease_seconds)


def finish(job: Job, text: str = "") -> Any:
    turns = [{"text": text or f"Answer to {job.pk}.", "tokens": 4, "finish": "stop"}] * job.prompt.turns
    assert job.lease_token is not None
    made = {"turns": turns, "manifest": {"made_by": "a test"}, "batch": {"rows": 1, "position": 0}}
    return jobs.finish(job=job, token=job.lease_token, **made)


def make_tiny_checkpoint(folder: Path) -> Checkpoint:
    from tests.generation.tinymodel import build_tiny_model

    return factories.make_checkpoint(source="path", location=str(build_tiny_model(folder)))
