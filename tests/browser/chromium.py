"""Which Chromium the browser tests drive, and how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

USUAL = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
REMEDY = (
    "No Chromium was found and none could be installed. Install one (Debian: apt-get install chromium "
    "fonts-noto-cjk), or say where it is: CHROMIUM=/path make test, or leave the browser tests out: BROWSER=0 make test"
)


class NoChromium(RuntimeError):
    pass


def installed() -> str | None:
    if named := os.environ.get("CHROMIUM"):
        if not Path(named).exists():
            raise NoChromium(f"CHROMIUM={named} is not there. {REMEDY}")
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    return next((path for path in USUAL if Path(path).exists()), None)


def _playwright_own() -> str | None:
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, timeout=300
    )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _package_manager() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "chromium", "fonts-noto-cjk"],
        env=environment,
        capture_output=True,
    )
    return installed()


def find() -> str:
    """The path of a Chromium, installed now if need be; NoChromium says what to do."""
    for look in (installed, _package_manager, _playwright_own):
        try:
            found = look()
        except subprocess.SubprocessError:
            continue
        if found:
            return found
    raise NoChromium(REMEDY)
