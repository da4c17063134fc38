"""docker-compose.yml starts what exists: each service's command is resolved here, since no Docker runs in the tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from shisa_arena import processes

COMPOSE = yaml.safe_load(Path("docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "command" in service}


def test_the_services_are_those_of_the_readme() -> None:
    assert {"web", "worker", "worker-gpu", "beat", "postgres", "redis"} <= set(COMPOSE["services"])


@pytest.mark.parametrize("name", OURS)
def test_a_command_resolves(name: str) -> None:
    python, *rest = OURS[name]["command"]
    assert python == "python"
    if rest[0] == "manage.py":
        assert Path("manage.py").exists() and rest[1] in get_commands()
    else:
        assert rest[:2] == ["-m", "shisa_arena.processes"] and rest[2] in processes.PROCESSES
        command = processes.PROCESSES[rest[2]]()
        assert command[1] == "-m" and importlib.util.find_spec(command[2])


def test_the_workers_never_share_a_process() -> None:
    queues = [c[c.index("-Q") + 1] for c in (processes.worker(), processes.worker_gpu())]
    assert queues == ["arena", "generation"]


def test_only_the_gpu_worker_has_torch() -> None:
    assert OURS["worker-gpu"]["build"]["args"]["EXTRAS"] == "generation"
    assert [name for name, service in OURS.items() if isinstance(service["build"], dict)] == ["worker-gpu"]


def test_the_image_runs_what_compose_runs() -> None:
    assert 'CMD ["python", "-m", "shisa_arena.processes", "web"]' in Path("Dockerfile").read_text()
