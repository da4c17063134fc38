"""What the generation workers are doing right now: hints in Redis, gone when a worker is."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from functools import cache
from typing import Any, TypedDict, cast

import redis
from django.conf import settings

log = logging.getLogger(__name__)
_PREFIX = "shisa:generation:worker:"
_SECONDS = 60
_log_again_at = 0.0


class Beat(TypedDict):
    worker: str
    checkpoint: str
    finished: int
    running: int
    waiting: int
    tokens_per_second: float
    at: float


def beat(*, checkpoint: str, finished: int, running: int, waiting: int, tokens_per_second: float) -> None:
    worker = f"{socket.gethostname()}:{os.getpid()}"
    body = Beat(
        worker=worker, checkpoint=checkpoint, finished=finished, running=running, waiting=waiting,
        tokens_per_second=round(tokens_per_second, 1), at=time.time(),
    )  # fmt: skip
    try:
        client().set(_PREFIX + worker, json.dumps(body), ex=_SECONDS)
    except redis.RedisError as error:
        _complain(error)


def workers() -> list[Beat]:
    """Who works at what. Empty also where Redis is away: nothing may depend on it."""
    try:
        keys = list(client().scan_iter(_PREFIX + "*"))
        found = cast("list[bytes | None]", client().mget(keys)) if keys else []
    except redis.RedisError as error:
        _complain(error)
        return []
    return sorted((json.loads(one) for one in found if one), key=lambda one: str(one["worker"]))


def first_to_say(what: str, *, seconds: int) -> bool:
    """Whether nobody said this within `seconds`. Fails open: saying it twice does no harm, never would."""
    try:
        return bool(client().set(f"shisa:generation:said:{what}", 1, nx=True, ex=seconds))
    except redis.RedisError as error:
        _complain(error)
        return True


def forget(what: str) -> None:
    try:
        client().delete(f"shisa:generation:said:{what}")
    except redis.RedisError as error:
        _complain(error)


@cache
def client() -> Any:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _complain(error: Exception) -> None:
    """One line a minute, not one a beat."""
    global _log_again_at
    if time.monotonic() >= _log_again_at:
        log.warning("Redis does not answer (%s); going on without its hints.", error)
        _log_again_at = time.monotonic() + 60
