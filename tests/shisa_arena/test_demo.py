"""`make demo`: data once, a login of its own, and a clear word where it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.models import User
from generation.models import Response
from shisa_arena import demo
from voting.models import Round

pytestmark = pytest.mark.django_db


@pytest.fixture
def local(tmp_path: Path, settings: Any) -> Path:
    settings.LOCAL_DIR = tmp_path
    return tmp_path


def test_the_data_is_made_once(local: Path) -> None:
    list(demo.set_up_data())
    responses = Response.objects.count()
    assert responses >= 240 and not Response.objects.filter(flags__contains=[{"code": "empty"}]).exists()
    list(demo.set_up_data())
    assert (Response.objects.count(), Round.objects.count()) == (responses, 1)


def test_six_candidates_or_more_answer_on_two_checkpoints(local: Path) -> None:
    list(demo.set_up_data())
    candidates = [one.candidate for one in Round.objects.get().round_candidates.all()]
    assert len(candidates) >= 6 and len({one.checkpoint_id for one in candidates}) == 2


def test_the_maintainer_keeps_a_generated_password(local: Path, client: Client) -> None:
    name, password = demo.maintainer()
    assert demo.maintainer() == (name, password) and len(password) >= 12
    assert (local / "demo-maintainer.json").stat().st_mode & 0o077 == 0
    assert client.login(username=name, password=password)
    assert User.objects.get().may_steer


def test_a_taken_port_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(CommandError, match=f"PORT={port + 1} make demo"):
            call_command("demo")


def test_an_unknown_model_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_MODEL", "gpt")
    with pytest.raises(CommandError, match="all, smollm2, none"):
        call_command("demo")


def test_what_is_installed_already_is_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_missing", lambda requirements: False)
    assert list(demo.install_steps("all")) == []


def test_the_sizes_and_terms_are_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_missing", lambda requirements: True)
    monkeypatch.setenv("DEMO_TORCH_INDEX", "https://example.org/torch")
    said, commands = zip(*demo.install_steps("all"), strict=True)
    assert "1.2 GB" in said[0] and "https://example.org/torch" in commands[0]
    assert "330 MB" in said[-1] and "Gemma terms" in said[-1] and "--no-deps" in commands[-1]
    assert not any("gemma" in part for part in list(demo.install_steps("smollm2"))[-1][1])
