"""Tells the running generation that its worker was asked to stop."""

from __future__ import annotations

import multiprocessing
import signal
from typing import Any

from celery.signals import worker_process_init, worker_shutting_down

# Shared with the pool's processes, forked after this module is loaded: the signal reaches the parent only.
# Without a lock, since a signal handler may interrupt anything.
_asked = multiprocessing.RawValue("b", 0)


@worker_shutting_down.connect
def ask(**_: Any) -> None:
    _asked.value = 1


@worker_process_init.connect
def leave_it_to_the_parent(**_: Any) -> None:
    """A SIGTERM to the whole group must not kill the batch: the parent asks, and the batch hands its jobs back."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def is_asked() -> bool:
    return bool(_asked.value)
