"""Responses: stored once, rendered once, never changed. One way in for the worker and for imports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models, transaction
from django.db.models.fields import NOT_PROVIDED

from generation import flags, manifests, normal, render
from generation.models import Candidate, Manifest, Prompt, Response

# Who stores an answer to a prompt holds its lock: of two equal answers at once, the later sees the earlier.
# Prompts share the locks, so that an import of any size takes no more than these.
_LOCK_SPACE = 0x5E57
_LOCKS = 256
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def store(
    *,
    candidate: Candidate,
    prompt: Prompt,
    sample: int,
    turns: Sequence[Mapping[str, Any]],
    manifest: Manifest | Mapping[str, Any],
    seed: int | None = None,
    batch: Mapping[str, Any] | None = None,
) -> Response | None:
    """Insert one response; None where this candidate has that sample already, which then stays as it is."""
    response = build(
        candidate=candidate,
        prompt=prompt,
        sample=sample,
        turns=turns,
        manifest=manifests.keep(manifest),
        seed=seed,
        batch=batch,
    )
    with transaction.atomic():
        _lock_prompts([prompt.pk])
        if not _insert(response):
            return None
        flag_twins(prompt_ids=[prompt.pk], norm_sha=response.norm_sha)
        response.refresh_from_db(fields=["flags"])
    return response


def store_many(responses: Sequence[Response]) -> int:
    """Insert built responses in a few statements; those that are there stay as they are. How many are new."""
    prompt_ids = sorted({response.prompt_id for response in responses})
    with transaction.atomic():
        _lock_prompts(prompt_ids)
        known = set(
            Response.objects.filter(prompt__in=prompt_ids).values_list("candidate_id", "prompt_id", "sample")
        )
        new = [one for one in responses if (one.candidate_id, one.prompt_id, one.sample) not in known]
        Response.objects.bulk_create(new, batch_size=500)
        if new:
            flag_twins(prompt_ids=sorted({response.prompt_id for response in new}))
    return len(new)


def build(
    *,
    candidate: Candidate,
    prompt: Prompt,
    sample: int,
    turns: Sequence[Mapping[str, Any]],
    manifest: Manifest,
    seed: int | None = None,
    batch: Mapping[str, Any] | None = None,
) -> Response:
    """An unsaved response: hashed, rendered, flagged but for twins."""
    kept = [
        {"text": _storable(turn["text"]), "tokens": turn.get("tokens"), "finish": turn.get("finish")}
        for turn in turns
    ]
    texts = [str(turn["text"]) for turn in kept]
    counts = [turn["tokens"] for turn in kept]
    return Response(
        candidate=candidate,
        prompt=prompt,
        sample=sample,
        manifest=manifest,
        seed=seed,
        batch=dict(batch or {}),
        turns=kept,
        html=render.turns_to_html(texts),
        html_version=render.HTML_VERSION,
        text_sha=normal.text_sha(texts),
        norm_sha=normal.norm_sha(texts),
        chars=sum(len(text) for text in texts),
        tokens=None if None in counts else sum(int(count or 0) for count in counts),
        flags=flags.find(turns=kept),
    )


def flag_twins(*, prompt_ids: Iterable[int], norm_sha: str | None = None) -> int:
    """Flag every response that another one of the same prompt equals in normal form. How many are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE generation_response r SET flags = r.flags || %(flag)s::jsonb
            FROM (SELECT prompt_id, norm_sha FROM generation_response
                  WHERE prompt_id = ANY(%(prompts)s) AND (%(norm)s::text IS NULL OR norm_sha = %(norm)s)
                  GROUP BY prompt_id, norm_sha HAVING count(*) > 1) twins
            WHERE r.prompt_id = twins.prompt_id AND r.norm_sha = twins.norm_sha
              AND NOT r.flags @> '[{"code": "twin"}]'
            """,
            {"flag": json.dumps([flags.TWIN]), "prompts": list(prompt_ids), "norm": norm_sha},
        )
        return int(cursor.rowcount)


def _lock_prompts(prompt_ids: Iterable[int]) -> None:
    # In one order for everybody, so that two imports cannot wait for each other.
    with connection.cursor() as cursor:
        for place in sorted({prompt_id % _LOCKS for prompt_id in prompt_ids}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, place])


def _insert(response: Response) -> bool:
    """INSERT ... ON CONFLICT DO NOTHING. Django's own either raises or does not say whether it wrote."""
    fields: list[models.Field[Any, Any]] = [
        field
        for field in Response._meta.concrete_fields
        if not field.primary_key and not field.db_default is not NOT_PROVIDED
    ]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = [
        field.get_db_prep_save(getattr(response, field.attname), connection=connection) for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO generation_response ({columns}) VALUES ({marks})"
            " ON CONFLICT (candidate_id, prompt_id, sample) DO NOTHING RETURNING id, created_at",
            values,
        )
        row = cursor.fetchone()
    if row is None:
        return False
    response.pk, response.created_at = row
    response._state.adding = False
    return True


def _storable(text: str) -> str:
    """What Postgres cannot hold (\\0, half of a surrogate pair) becomes the replacement mark."""
    return _NOT_STORABLE.sub("\ufffd", text)
