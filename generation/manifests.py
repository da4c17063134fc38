"""What made a response, stored once for all responses of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generation.hashing import sha_of
from generation.models import Manifest


def keep(body: Mapping[str, Any] | Manifest) -> Manifest:
    """The row of this manifest, made now if there is none."""
    if isinstance(body, Manifest):
        return body
    sha = sha_of(body)
    found = Manifest.objects.filter(sha256=sha).first()
    if found is None:
        # Two workers begin the same run at once: the constraint decides, both read the winner's row.
        Manifest.objects.bulk_create([Manifest(sha256=sha, body=dict(body))], ignore_conflicts=True)
        found = Manifest.objects.get(sha256=sha)
    return found
