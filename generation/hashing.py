"""One spelling of JSON that is hashed, and the hashes that identify things."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(body: Any) -> bytes:
    # As generation.engine.manifest spells it; that module needs torch, this one must not.
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def sha_of(body: Any) -> str:
    return hashlib.sha256(canonical(body)).hexdigest()


def seed_of(settings_sha: str, content_sha: str, sample: int) -> int:
    """The first 63 bits of the hash. `plans.expand` computes the same in SQL; a test compares them."""
    digest = hashlib.sha256(f"{settings_sha}{content_sha}{sample}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1
