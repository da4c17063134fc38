"""Which PostgreSQL and Redis this process uses: the given ones, or the embedded ones."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from shisa_arena import embedded

BASE_DIR = Path(__file__).resolve().parent.parent


def local_dir() -> Path:
    """Where everything lives that is not in git: data of the embedded servers, models, exports."""
    return Path(os.environ.get("SHISA_LOCAL") or BASE_DIR / ".local").resolve()


def database_url() -> str:
    return os.environ.get("DATABASE_URL") or embedded.database_url(local_dir() / "servers")


def redis_url() -> str:
    return os.environ.get("REDIS_URL") or embedded.redis_url(local_dir() / "servers")


def boot() -> None:
    """Called by every entry point (manage.py, wsgi, celery) before the first connection."""
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        embedded.ensure(local_dir() / "servers")


def development_secret() -> str:
    """A secret of this checkout, made once: sessions and voters' cookies survive a restart of the demo."""
    path = local_dir() / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()
