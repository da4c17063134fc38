"""Take a voter's ballots out of the sums, or put them back. The votes themselves stay."""

from __future__ import annotations

import logging

from django.db import connection, transaction

from accounts.models import User
from voting.models import Voter
from voting.voters import VOTER_SPACE

log = logging.getLogger(__name__)

# One row for each round in which they ended a comparison.
_QUEUE = """
INSERT INTO voting_ballotqueue (round_id, voter_id, kind)
SELECT DISTINCT round_id, voter_id, %s FROM voting_comparison WHERE voter_id = %s AND state <> 'open'
"""


def exclude(*, voter: Voter, by: User | None = None) -> bool:
    """False where the voter was excluded already."""
    return _set(voter, excluded=True, by=by)


def readmit(*, voter: Voter, by: User | None = None) -> bool:
    """False where the voter was not excluded."""
    return _set(voter, excluded=False, by=by)


@transaction.atomic
def _set(voter: Voter, *, excluded: bool, by: User | None) -> bool:
    with connection.cursor() as cursor:
        # A ballot in flight ends first: else it might be the first of its round, counted, and never taken out.
        cursor.execute("SELECT pg_advisory_xact_lock(hashint8extended(%s, %s))", [voter.pk, VOTER_SPACE])
        cursor.execute(
            f"UPDATE voting_voter SET excluded_at = {'now()' if excluded else 'NULL'}"
            f" WHERE id = %s AND excluded_at IS {'' if excluded else 'NOT'} NULL RETURNING id",
            [voter.pk],
        )
        if cursor.fetchone() is None:
            return False
        cursor.execute(_QUEUE, ["exclude" if excluded else "readmit", voter.pk])
    log.info("voter %s %s by %s", voter.pk, "excluded" if excluded else "readmitted", by or "a command")
    return True
