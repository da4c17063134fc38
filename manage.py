#!/usr/bin/env python
"""Run a command of this project: python manage.py help."""

import os
import sys

from shisa_arena import servers
from shisa_arena.embedded import EmbeddedServersError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shisa_arena.settings")
    try:
        servers.boot()
    except EmbeddedServersError as error:
        sys.exit(f"error: {error}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
