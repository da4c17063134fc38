"""`manage.py verify`: what is derived from responses and prompts, recounted."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from generation import render, responses
from generation.models import Prompt, Response
from generation.prompts import html_of


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    n: int
    repaired: bool

    def __str__(self) -> str:
        return f"generation: {self.n} {self.what}" + (" (repaired)" if self.repaired else "")


def verify(repair: bool = False) -> list[Finding]:
    found = [
        Finding("responses that equal another one and are not flagged as twins", _twins(repair), repair),
        Finding("responses rendered by an older version", _stale_responses(repair), repair),
        Finding("prompts rendered by an older version", _stale_prompts(repair), repair),
    ]
    return [finding for finding in found if finding.n]


def _twins(repair: bool) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT prompt_id, count(*) FILTER (WHERE NOT flags @> '[{"code": "twin"}]')
            FROM generation_response GROUP BY prompt_id, norm_sha
            HAVING count(*) > 1 AND bool_or(NOT flags @> '[{"code": "twin"}]')
            """
        )
        rows = cursor.fetchall()
    if repair and rows:
        responses.flag_twins(prompt_ids=sorted({row[0] for row in rows}))
    return sum(row[1] for row in rows)


def _stale_responses(repair: bool) -> int:
    stale = Response.objects.filter(html_version__lt=render.HTML_VERSION)
    count = stale.count()
    if repair:
        for response in stale.iterator(chunk_size=200):
            response.html = render.turns_to_html([turn["text"] for turn in response.turns])
            response.html_version = render.HTML_VERSION
            response.save(update_fields=["html", "html_version"])
    return count


def _stale_prompts(repair: bool) -> int:
    stale = Prompt.objects.filter(html_version__lt=render.HTML_VERSION)
    count = stale.count()
    if repair:
        for prompt in stale.iterator(chunk_size=200):
            prompt.html, prompt.html_version = html_of(prompt.messages), render.HTML_VERSION
            prompt.save(update_fields=["html", "html_version"])
    return count
