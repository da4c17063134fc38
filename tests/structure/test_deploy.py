"""Production settings: Django's own checks are clean, and without a secret nothing starts."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SHISA_DEVELOPMENT": "0", "SECRET_KEY": "", **environment}
    del env["DJANGO_ALLOW_ASYNC_UNSAFE"]  # set for the browser tests only
    return subprocess.run([sys.executable, "manage.py", *arguments], env=env, capture_output=True, text=True)


def test_the_deployment_check_is_clean() -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "WARNING",
        SECRET_KEY=secrets.token_urlsafe(50), ALLOWED_HOSTS="arena.example.org",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_production_does_not_start_without_a_secret() -> None:
    refused = manage("check")
    assert refused.returncode != 0 and "SECRET_KEY is not set" in refused.stderr
