"""Jobs: leased from Postgres, finished exactly once, whoever dies in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from generation import responses
from generation.models import Job, Manifest, Response

MAX_ATTEMPTS = 3
# A worker that dies takes innocent jobs with it, so they get more chances than one that fails by itself.
MAX_EXPIRIES = 6
BACK_OFF_SECONDS = 30


def claim(*, checkpoint_id: int, limit: int, lease_seconds: int) -> list[Job]:
    """Lease up to `limit` jobs of running plans, the longest first: nobody else gets them until it ends."""
    token = uuid4()
    with connection.cursor() as cursor:
        # One statement picks, locks and marks; SKIP LOCKED passes by what another worker is picking.
        cursor.execute(
            """
            WITH picked AS (
                SELECT id FROM generation_job
                WHERE checkpoint_id = %(checkpoint)s AND state = 'pending' AND not_before <= statement_timestamp()
                  AND plan_id IN (SELECT id FROM generation_plan WHERE state = 'running')
                ORDER BY cost DESC LIMIT %(limit)s
                FOR UPDATE SKIP LOCKED)
            UPDATE generation_job j
            SET state = 'leased', lease_token = %(token)s, attempts = attempts + 1,
                lease_until = statement_timestamp() + make_interval(secs => %(seconds)s)
            FROM picked WHERE j.id = picked.id
            RETURNING j.id
            """,
            {"checkpoint": checkpoint_id, "limit": limit, "token": token, "seconds": lease_seconds},
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Job.objects.filter(pk__in=ids).select_related("candidate", "prompt").order_by("-cost", "id"))


def renew(*, tokens: Sequence[UUID], lease_seconds: int) -> int:
    """Hold what is held for another while. How many jobs are still ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_job SET lease_until = statement_timestamp() + make_interval(secs => %s)"
            " WHERE state = 'leased' AND lease_token = ANY(%s)",
            [lease_seconds, list(tokens)],
        )
        return int(cursor.rowcount)


def finish(
    *,
    job: Job,
    token: UUID,
    turns: Sequence[Mapping[str, Any]],
    manifest: Manifest | Mapping[str, Any],
    batch: Mapping[str, Any] | None = None,
) -> Response | None:
    """Store the response and delete its job, both or neither. None where the lease was lost to another."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM generation_job WHERE id = %s AND lease_token = %s RETURNING id", [job.pk, token]
            )
            if cursor.fetchone() is None:
                return None
        return responses.store(
            candidate=job.candidate,
            prompt=job.prompt,
            sample=job.sample,
            turns=turns,
            manifest=manifest,
            seed=job.seed,
            batch=batch,
        )


def fail(*, job: Job, token: UUID, error: str) -> None:
    """Note why it failed; try again later, and after the third attempt leave it for a person to look at."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE generation_job
            SET state = CASE WHEN attempts >= %(most)s THEN 'failed' ELSE 'pending' END,
                lease_token = NULL, lease_until = NULL, error = %(error)s,
                not_before = statement_timestamp() + make_interval(secs => %(wait)s * 2 ^ (attempts - 1))
            WHERE id = %(job)s AND lease_token = %(token)s
            """,
            {
                "most": MAX_ATTEMPTS,
                "error": _storable(error),
                "wait": BACK_OFF_SECONDS,
                "job": job.pk,
                "token": token,
            },
        )


def fail_checkpoint(*, checkpoint_id: int, error: str) -> int:
    """Its weights cannot be had: every pending job of it counts an attempt and waits. How many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE generation_job
            SET attempts = attempts + 1, error = %(error)s,
                state = CASE WHEN attempts + 1 >= %(most)s THEN 'failed' ELSE 'pending' END,
                not_before = statement_timestamp() + make_interval(secs => %(wait)s * 2 ^ attempts)
            WHERE id IN (SELECT id FROM generation_job
                         WHERE checkpoint_id = %(checkpoint)s AND state = 'pending'
                           AND not_before <= statement_timestamp()
                         FOR UPDATE SKIP LOCKED)
            """,
            {
                "most": MAX_ATTEMPTS,
                "error": _storable(error),
                "wait": BACK_OFF_SECONDS,
                "checkpoint": checkpoint_id,
            },
        )
        return int(cursor.rowcount)


def release(*, tokens: Sequence[UUID]) -> int:
    """Hand back what is not finished, as a worker does that is told to stop. It costs no attempt."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_job SET state = 'pending', lease_token = NULL, lease_until = NULL,"
            " attempts = greatest(attempts - 1, 0) WHERE state = 'leased' AND lease_token = ANY(%s)",
            [list(tokens)],
        )
        return int(cursor.rowcount)


def release_expired() -> int:
    """Take back what a dead worker held. How many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE generation_job
            SET state = CASE WHEN attempts >= %(most)s THEN 'failed' ELSE 'pending' END,
                lease_token = NULL, lease_until = NULL,
                error = 'The worker that held it stopped renewing its lease (attempt ' || attempts || ').'
            WHERE id IN (SELECT id FROM generation_job WHERE state = 'leased' AND lease_until < statement_timestamp()
                         FOR UPDATE SKIP LOCKED)
            """,
            {"most": MAX_EXPIRIES},
        )
        return int(cursor.rowcount)


def _storable(error: str) -> str:
    return error.replace("\0", "\ufffd")[:2000]
