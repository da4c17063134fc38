"""Candidates: what is ranked. Their identity is the hash of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from generation.engine.types import Sampler
from generation.errors import SettingsError
from generation.hashing import sha_of
from generation.models import Candidate, Checkpoint


def register(
    *,
    checkpoint: Checkpoint,
    label: str,
    template: str | None = None,
    template_args: Mapping[str, Any] | None = None,
    system: str = "",
    sampler: Mapping[str, Any] | None = None,
    kind: str = Candidate.Kind.MODEL,
) -> Candidate:
    """The candidate with these settings on this checkpoint, made now if there is none.

    One that is there keeps its label: a label is free, the settings are the identity.
    """
    if not label.strip() or len(label) > 200:
        raise SettingsError(f"The label {label[:40]!r} has {len(label)} characters; give it 1 to 200.")
    args, given = dict(template_args or {}), dict(sampler or {})
    settled = _settle(label, given)
    settings = {"template": template, "template_args": args, "system": system, "sampler": settled}
    if kind != Candidate.Kind.MODEL:
        settings["kind"] = kind
    settings_sha = sha_of(settings)
    with transaction.atomic():
        # Two importers may register the same candidate at once: the constraint decides, both get its row.
        Candidate.objects.bulk_create(
            [
                Candidate(
                    checkpoint=checkpoint, label=label, kind=kind, template=template, template_args=args,
                    system=system, sampler=given, sampler_key=sha_of(settled), settings_sha=settings_sha,
                )
            ],
            ignore_conflicts=True,
        )  # fmt: skip
    found = Candidate.objects.filter(checkpoint=checkpoint, settings_sha=settings_sha).first()
    if found is None:
        raise SettingsError(
            f"The label {label!r} belongs to a candidate with other settings or another checkpoint. "
            "Take another label: settings of a candidate never change."
        )
    return found


def _settle(label: str, sampler: Mapping[str, Any]) -> dict[str, Any]:
    """The sampler with its defaults filled in, so that leaving out a default is not another candidate."""
    try:
        return Sampler.from_json(sampler).to_json()
    except (TypeError, ValueError) as error:
        raise SettingsError(f"Candidate {label!r}: {error}") from error
