"""Plans: candidates × prompt sets × samples, expanded into the jobs that are still to be done."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction

from generation.engine.types import Sampler
from generation.errors import SettingsError
from generation.models import (
    Candidate,
    Checkpoint,
    Job,
    Plan,
    PlanCandidate,
    PlanPromptSet,
    PromptSet,
)

# What this project's own engine loads.
_GENERATED_HERE = (Checkpoint.Source.PATH, Checkpoint.Source.HUB)


def create(
    *, name: str, candidates: Sequence[Candidate], prompt_sets: Sequence[PromptSet], samples: int = 1
) -> Plan:
    """A draft. `start` makes its jobs."""
    if not candidates or not prompt_sets:
        raise SettingsError("A plan needs at least one candidate and one prompt set.")
    if not 1 <= samples <= 1000:
        raise SettingsError(f"A plan of {samples} samples cannot be made. Give 1 to 1000.")
    for candidate in candidates:
        if candidate.checkpoint.source not in _GENERATED_HERE:
            raise SettingsError(
                f"{candidate.label!r} stands on a checkpoint that is {candidate.checkpoint.source}: "
                "this worker cannot generate with it. Leave the candidate out."
            )
        if candidate.retired_at is not None:
            raise SettingsError(f"{candidate.label!r} is retired. Leave it out.")
    try:
        with transaction.atomic():
            plan = Plan.objects.create(name=name, samples=samples)
            PlanCandidate.objects.bulk_create(PlanCandidate(plan=plan, candidate=one) for one in candidates)
            PlanPromptSet.objects.bulk_create(PlanPromptSet(plan=plan, set=one) for one in prompt_sets)
    except IntegrityError as error:
        raise SettingsError(
            f"There is a plan {name!r} already, or a candidate or set is named twice."
        ) from error
    return plan


@transaction.atomic
def start(*, plan: Plan) -> int:
    """Run a draft or a paused plan, or extend a done one by what its sets gained. How many jobs were made."""
    made = expand(plan=plan)
    _move(plan, Plan.State.RUNNING)
    return made


def pause(*, plan: Plan) -> None:
    """No further job of it is leased; what is leased is finished and kept."""
    _move(plan, Plan.State.PAUSED)


@transaction.atomic
def cancel(*, plan: Plan) -> int:
    """Delete what is not begun. Responses stay. How many jobs are gone."""
    _move(plan, Plan.State.CANCELLED)
    gone, _ = Job.objects.filter(plan=plan).exclude(state=Job.State.LEASED).delete()
    return gone


def expand(*, plan: Plan) -> int:
    """Make a job for each response of the plan that neither exists nor has a job. Runs twice without harm."""
    made = 0
    chosen = Candidate.objects.filter(plancandidate__plan=plan, retired_at=None).order_by("id")
    with connection.cursor() as cursor:
        for candidate in chosen:
            sampler = Sampler.from_json(candidate.sampler)
            cursor.execute(
                _EXPAND,
                {
                    "plan": plan.pk,
                    "candidate": candidate.pk,
                    "checkpoint": candidate.checkpoint_id,
                    "settings_sha": candidate.settings_sha,
                    # A greedy candidate says the same each time: further samples would only be twins.
                    "last_sample": 0 if sampler.is_greedy else plan.samples - 1,
                    "new_tokens": sampler.max_new_tokens,
                },
            )
            made += cursor.rowcount
    return made


# The seed is hashing.seed_of; the cost a rough count of tokens, for running the longest first.
_EXPAND = """
    INSERT INTO generation_job
        (plan_id, checkpoint_id, candidate_id, prompt_id, sample, seed, state, attempts, cost, error)
    SELECT %(plan)s, %(checkpoint)s, %(candidate)s, p.id, s.sample,
           (('x' || encode(substring(sha256(convert_to(%(settings_sha)s || p.content_sha || s.sample, 'UTF8'))
                                     FROM 1 FOR 8), 'hex'))::bit(64) >> 1)::bigint,
           'pending', 0, length(p.messages::text) / 3 + p.turns * %(new_tokens)s, ''
    FROM generation_prompt p
    JOIN generation_planpromptset ps ON ps.set_id = p.set_id AND ps.plan_id = %(plan)s
    CROSS JOIN generate_series(0, %(last_sample)s) AS s(sample)
    WHERE p.retired_at IS NULL
      AND NOT EXISTS (SELECT FROM generation_response r
                      WHERE r.candidate_id = %(candidate)s AND r.prompt_id = p.id AND r.sample = s.sample)
    ON CONFLICT (candidate_id, prompt_id, sample) DO NOTHING
"""


def retry_failed(*, plan: Plan) -> int:
    """Give failed jobs their attempts back. How many."""
    return Job.objects.filter(plan=plan, state=Job.State.FAILED).update(
        state=Job.State.PENDING, attempts=0, error=""
    )


def settle() -> int:
    """Running plans with nothing left to do are done. How many became so."""
    busy = Job.objects.exclude(state=Job.State.FAILED).values("plan")
    return Plan.objects.filter(state=Plan.State.RUNNING).exclude(pk__in=busy).update(state=Plan.State.DONE)


_MAY_BECOME = {
    Plan.State.RUNNING: (Plan.State.DRAFT, Plan.State.PAUSED, Plan.State.DONE, Plan.State.RUNNING),
    Plan.State.PAUSED: (Plan.State.RUNNING, Plan.State.PAUSED),
    Plan.State.CANCELLED: (Plan.State.DRAFT, Plan.State.RUNNING, Plan.State.PAUSED, Plan.State.DONE),
}


def _move(plan: Plan, state: Plan.State) -> None:
    # Conditional, so that of two maintainers who pause and cancel at once the second is told.
    moved = Plan.objects.filter(pk=plan.pk, state__in=_MAY_BECOME[state]).update(state=state)
    plan.refresh_from_db()
    if not moved:
        raise SettingsError(f"Plan {plan.name!r} is {plan.state} and cannot become {state}.")


resume = start
