"""`make demo`: the whole arena on this machine, with data, until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from honcho.manager import Manager

from shisa_arena import demo, processes


class Command(BaseCommand):
    help = "Set up the demo's data, then run web, workers and the generation of more answers until Ctrl-C."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--setup-only", action="store_true", help="make the data and stop")

    def handle(self, *args: Any, setup_only: bool, **options: Any) -> None:
        port = int(os.environ.get("PORT", "8000"))
        models = demo.chosen_models()
        if not setup_only:
            _require_free(port)
        call_command("migrate", verbosity=0, interactive=False)
        for line in demo.set_up_data():
            self.stdout.write(line)
        name, password = demo.maintainer()
        if setup_only:
            return
        self.stdout.write(
            f"\n  Vote       http://127.0.0.1:{port}/\n"
            f"  Dashboard  http://127.0.0.1:{port}/dashboard/   {name} / {password}\n\n"
            "  Ctrl-C stops everything; all data stays.\n"
        )
        self.stdout.flush()
        _run(models)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Take another: PORT={port + 1} make demo"
            ) from error


def _run(models: str) -> None:
    os.environ.setdefault("HOST", "127.0.0.1")  # a demo is for this machine
    # C_FORCE_ROOT: Celery would warn at each start on a machine where everybody is root.
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "C_FORCE_ROOT": "1"}
    manager = Manager()
    for name in ("web", "worker", "beat"):
        manager.add_process(name, _shell(processes.PROCESSES[name]()), env=env, quiet=name == "beat")
    if models != "none":
        manager.add_process(
            "models", _shell([sys.executable, "manage.py", "demo_models", "--then-work"]), env=env
        )
    manager.loop()
    sys.exit(manager.returncode)


def _shell(command: list[str]) -> str:
    import shlex

    return "exec " + shlex.join(command)
