"""Install the generation part and the demo's models; with --then-work go on as the generation worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand

from shisa_arena import demo, processes


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--then-work", action="store_true")

    def handle(self, *args: Any, then_work: bool, **options: Any) -> None:
        models = demo.chosen_models()
        try:
            for said, command in demo.install_steps(models):
                self.stdout.write(said)
                subprocess.run(command, check=True)
        except subprocess.CalledProcessError as error:
            # The site stays up: votes do not need the models.
            self.stderr.write(
                f"The models could not be installed ({error}). Voting is not touched. "
                "Try again with the network up: stop, and make demo. Without models: DEMO_MODEL=none make demo"
            )
            if not then_work:
                sys.exit(1)
            signal.pause()
        if then_work:
            self.stdout.write(demo.start_generating(models))
            self.stdout.flush()
            command = processes.worker_gpu()
            os.execv(command[0], command)
