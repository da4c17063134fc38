"""Real parts: the embedded PostgreSQL and Redis in a scratch folder, beside a running demo if there is one.

A plugin of its own (`-p tests.scratch`), since pytest-django reads the settings before any conftest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("SHISA_DEVELOPMENT", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shisa_arena.settings")
# The browser tests' event loop runs in this thread; the ORM is used beside it, never from it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
_scratch: Path | None = None


def _start_scratch_servers() -> None:
    global _scratch
    from shisa_arena import servers

    if "SHISA_LOCAL" not in os.environ:
        _scratch = Path(tempfile.mkdtemp(prefix="shisa-test-"))
        os.environ["SHISA_LOCAL"] = str(_scratch)
    servers.boot()


_start_scratch_servers()


def pytest_unconfigure() -> None:
    if _scratch:
        from shisa_arena import embedded

        embedded.stop(_scratch / "servers")
        shutil.rmtree(_scratch, ignore_errors=True)
