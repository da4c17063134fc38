from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from generation import plans, queries
from generation.errors import SettingsError
from generation.hashing import seed_of
from generation.models import Job, Plan
from tests import factories
from tests.generation.making import claim, finish, make_plan

pytestmark = pytest.mark.django_db


def test_a_plan_is_candidates_times_prompts_times_samples() -> None:
    checkpoint = factories.make_checkpoint(source="path")
    pair = [factories.make_candidate(checkpoint=checkpoint, sampler={"temperature": t}) for t in (0.1, 0.9)]
    plan = make_plan(n_prompts=3, samples=2, candidates=pair)
    assert plan.jobs.count() == 12 and plan.state == Plan.State.RUNNING
    assert set(plan.jobs.values_list("checkpoint", flat=True)) == {checkpoint.pk}


def test_a_greedy_candidate_answers_once() -> None:
    checkpoint = factories.make_checkpoint(source="path")
    greedy = factories.make_candidate(checkpoint=checkpoint, sampler={"do_sample": False})
    assert make_plan(n_prompts=2, samples=3, candidates=[greedy]).jobs.count() == 2


def test_the_seed_is_the_same_in_postgres_and_in_python() -> None:
    for job in make_plan(samples=3).jobs.select_related("candidate", "prompt"):
        assert job.seed == seed_of(job.candidate.settings_sha, job.prompt.content_sha, job.sample)
        assert 0 <= job.seed < 2**63


def test_what_exists_is_not_made_again() -> None:
    plan = make_plan(n_prompts=3)
    finish(claim(plan, limit=1)[0])
    assert plans.expand(plan=plan) == 0 and plan.jobs.count() == 2
    Job.objects.all().delete()
    assert plans.expand(plan=plan) == 2


def test_the_longest_are_first() -> None:
    plan = make_plan(n_prompts=1)
    prompt_set = plan.plan_prompt_sets.get().set
    factories.make_prompt(prompt_set, text="long " * 1000)
    plans.start(plan=plan)
    assert [job.prompt.messages[0]["content"][:5] for job in claim(plan)] == ["long ", "Say p"]


def test_nothing_of_a_paused_plan_is_leased() -> None:
    plan = make_plan()
    plans.pause(plan=plan)
    assert claim(plan) == []
    plans.resume(plan=plan)
    assert len(claim(plan)) == 3


def test_cancelling_keeps_what_is_in_work_and_what_is_done() -> None:
    plan = make_plan(n_prompts=4)
    first, second = claim(plan, limit=2)
    finish(first)
    assert plans.cancel(plan=plan) == 2
    assert finish(second) is not None
    with pytest.raises(SettingsError, match="is cancelled and cannot become running"):
        plans.start(plan=plan)


def test_a_plan_with_nothing_left_is_done_and_can_be_extended() -> None:
    plan = make_plan(n_prompts=1)
    assert plans.settle() == 0
    finish(claim(plan)[0])
    assert plans.settle() == 1
    factories.make_prompt(plan.plan_prompt_sets.get().set)
    assert plans.start(plan=Plan.objects.get()) == 1


def test_an_imported_candidate_cannot_be_planned() -> None:
    with pytest.raises(SettingsError, match="checkpoint that is imported"):
        make_plan(candidates=[factories.make_candidate()])
    assert not Plan.objects.exists()


def test_progress() -> None:
    plan = make_plan(n_prompts=4)
    for job in claim(plan, limit=2)[:1]:
        finish(job)
    progress = queries.plan_progress(plan)
    assert (progress.done, progress.leased, progress.pending, progress.failed) == (1, 1, 2, 0)
    assert progress.total == 4 and progress.tokens_per_second and progress.seconds_left


def test_progress_of_a_plan_that_has_not_begun() -> None:
    progress = queries.plan_progress(make_plan(n_prompts=1))
    assert (progress.tokens_per_second, progress.seconds_left) == (None, None)


def test_the_command_makes_and_starts_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.announcing.announce", lambda: 0)
    checkpoint = factories.make_checkpoint(source="path")
    factories.make_candidate("one", checkpoint=checkpoint)
    factories.make_prompt(factories.make_prompt_set("s"))
    call_command("start_plan", "p", candidates=["one"], sets=["s"], samples=2)
    assert Plan.objects.get().jobs.count() == 2
    call_command("start_plan", "p")
    with pytest.raises(CommandError, match="no candidate 'two'. Known: 'one'"):
        call_command("start_plan", "q", candidates=["two"], sets=["s"])
    with pytest.raises(CommandError, match="at least one candidate"):
        call_command("start_plan", "q")


def test_the_status_command_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_plan(n_prompts=2)
    finish(claim(plan, limit=1)[0])
    call_command("generation_status")
    assert f"{plan.name} (running): 1 of 2 done, 0 in work, 1 pending" in capsys.readouterr().out
