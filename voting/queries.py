"""Reads about voters and rounds that several places use."""

from __future__ import annotations

from django.db import connection


def votes_of(digest: str | None) -> int:
    """How many live votes this voter has cast, in all rounds."""
    if digest is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM voting_comparison c JOIN voting_voter v ON v.id = c.voter_id
             WHERE v.key_digest = %s AND c.state = 'voted'
            """,
            [digest],
        )
        return int(cursor.fetchone()[0])
