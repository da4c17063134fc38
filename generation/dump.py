"""Write responses to JSONL as generation.imports reads it back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db.models.functions import Collate

from generation.errors import GenerationError
from generation.models import Candidate, Checkpoint, PromptSet, Response

# In collation C, so that the file is the same from a database of any locale.
_ORDER = ("candidate__label", "prompt__language", "prompt__key")


def dump_responses(*, set_slug: str, path: Path, without_flags: Sequence[str] = ()) -> int:
    """One object a line, in an order that does not depend on when they were made. How many."""
    if not PromptSet.objects.filter(slug=set_slug).exists():
        known = ", ".join(PromptSet.objects.values_list("slug", flat=True)) or "none yet"
        raise GenerationError(f"There is no prompt set {set_slug!r}; known: {known}.")
    wanted = (
        Response.objects.filter(prompt__set__slug=set_slug)
        .select_related("candidate__checkpoint__parent", "prompt__set", "manifest")
        .order_by(*(Collate(name, "C") for name in _ORDER), "sample")
    )
    for code in without_flags:
        wanted = wanted.exclude(flags__contains=[{"code": code}])
    # Beside the target first, so that a dump that breaks off leaves the old file whole.
    scratch = path.with_name(f".{path.name}.part")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as file:
            count = 0
            for response in wanted.iterator(chunk_size=500):
                file.write(json.dumps(_line(response), ensure_ascii=False) + "\n")
                count += 1
        scratch.replace(path)
    except OSError as error:
        raise GenerationError(f"{path} cannot be written: {error.strerror}. Choose another path.") from error
    return count


def _line(response: Response) -> dict[str, Any]:
    prompt = response.prompt
    return {
        "checkpoint": _checkpoint(response.candidate.checkpoint),
        "candidate": _candidate(response.candidate),
        "prompt": {"set": prompt.set.slug, "key": prompt.key, "language": prompt.language},
        "sample": response.sample,
        "turns": response.turns,
        "seed": response.seed,
        "manifest": response.manifest.body,
    }


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    names = ("name", "source", "location", "revision", "dtype", "quantisation", "stage", "output_terms")
    fields = {name: getattr(checkpoint, name) for name in names if getattr(checkpoint, name)}
    return fields | ({"parent": checkpoint.parent.name} if checkpoint.parent else {})


def _candidate(candidate: Candidate) -> dict[str, Any]:
    fields = {name: getattr(candidate, name) for name in ("template", "template_args", "system", "sampler")}
    return {"label": candidate.label, **{name: value for name, value in fields.items() if value}}
