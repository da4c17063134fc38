"""The four processes of the arena, each as one command line: python -m shisa_arena.processes NAME.

The demo, docker-compose.yml and a hand-written service file all start the same lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def web() -> list[str]:
    """Few threads with a bounded queue: granian's default of 256 threads only makes 256 requests slow at once."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "shisa_arena.wsgi:application",
        "--host", os.environ.get("HOST", "0.0.0.0"),  # noqa: S104 a container's port is published by its runtime
        "--port", os.environ.get("PORT", "8000"),
        "--workers", os.environ.get("WEB_CONCURRENCY", "2"),
        "--blocking-threads", "8", "--backpressure", "64", "--no-ws",
        "--log-level", "error",
    ]  # fmt: skip


def _celery(*arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "-A",
        "shisa_arena",
        *arguments,
        "--loglevel",
        "warning",
    ]


def worker() -> list[str]:
    """Fold, tick, exports. Never torch."""
    return _celery("worker", "-Q", "arena", "-n", "arena@%h", "-c", os.environ.get("ARENA_CONCURRENCY", "1"))


def beat() -> list[str]:
    return _celery("beat")


def worker_gpu() -> list[str]:
    """One process a GPU; torch is imported in the child only, since CUDA and fork do not mix."""
    return _celery(
        "worker", "-Q", "generation", "-n", "generation@%h", "-c", "1", "--prefetch-multiplier", "1"
    )


PROCESSES: dict[str, Callable[[], list[str]]] = {
    "web": web,
    "worker": worker,
    "beat": beat,
    "worker-gpu": worker_gpu,
}


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        sys.exit(f"usage: python -m shisa_arena.processes {{{','.join(PROCESSES)}}}")
    command = PROCESSES[arguments[0]]()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
