"""What import-linter cannot see: foreign keys, migration dependencies and signal receivers point down too."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django.db.models import signals

LAYERS = ["accounts", "generation", "voting", "ranking", "exports", "shisa_arena"]


def height(app_label: str) -> int:
    return LAYERS.index(app_label)


def upward_foreign_keys(models: list[type]) -> list[str]:
    return [
        f"{model.__name__}.{field.name}"
        for model in models
        for field in model._meta.get_fields()
        if field.many_to_one or field.one_to_one and field.concrete
        if getattr(field, "remote_field", None) and field.concrete
        if field.related_model._meta.app_label in LAYERS
        if height(field.related_model._meta.app_label) > height(model._meta.app_label)
    ]


def test_foreign_keys_point_down() -> None:
    models = [model for model in apps.get_models() if model._meta.app_label in LAYERS]
    assert len(models) > 15
    assert upward_foreign_keys(models) == []


def test_an_upward_foreign_key_would_be_found() -> None:
    from voting.models import Vote

    Vote._meta.app_label = "accounts"
    try:
        assert "Vote.comparison" in upward_foreign_keys([Vote])
    finally:
        Vote._meta.app_label = "voting"


def test_migrations_depend_on_lower_apps_only() -> None:
    loader = MigrationLoader(None)
    upward = [
        (key, parent)
        for key, migration in loader.disk_migrations.items()
        for parent in migration.dependencies
        if key[0] in LAYERS and parent[0] in LAYERS and height(parent[0]) > height(key[0])
    ]
    assert upward == []


def test_migrations_have_names_that_say_something() -> None:
    loader = MigrationLoader(None)
    assert [key for key in loader.disk_migrations if key[0] in LAYERS and "_auto_" in key[1]] == []


@pytest.mark.parametrize(
    "signal", [signals.pre_save, signals.post_save, signals.pre_delete, signals.post_delete]
)
def test_signal_receivers_stand_above_their_senders(signal: signals.ModelSignal) -> None:
    by_id = {id(model): model for model in apps.get_models()}
    for (_, sender_id), receiver, *_ in signal.receivers:
        function = (
            receiver()
            if not callable(getattr(receiver, "__name__", None)) and callable(receiver)
            else receiver
        )
        module = getattr(function, "__module__", "") or ""
        sender = by_id.get(sender_id)
        if module.split(".")[0] in LAYERS and sender is not None and sender._meta.app_label in LAYERS:
            assert height(module.split(".")[0]) >= height(sender._meta.app_label)


def test_the_layers_of_this_test_are_those_of_import_linter() -> None:
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text())
    assert project["tool"]["importlinter"]["contracts"][0]["layers"] == LAYERS[::-1]
    assert all(importlib.import_module(name) for name in LAYERS)
