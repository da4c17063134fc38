"""Screenshots of a running demo: python docs/take_shots.py http://127.0.0.1:8000 maintainer PASSWORD [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.browser import chromium

PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1440, height=900)


def page_of(browser: Browser, language: str, size: ViewportSize, scheme: str) -> Page:
    locale = {"ja": "ja-JP", "en": "en-US"}[language]
    dark: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    context = browser.new_context(locale=locale, viewport=size, color_scheme=dark)
    return context.new_page()


def volunteer(browser: Browser, site: str, to: Path) -> None:
    for language, size, scheme in [
        ("ja", DESKTOP, "light"), ("en", DESKTOP, "dark"), ("ja", PHONE, "light"), ("en", PHONE, "dark"),
    ]:  # fmt: skip
        name = f"{language}-{'phone' if size is PHONE else 'desktop'}{'-dark' if scheme == 'dark' else ''}"
        page = page_of(browser, language, size, scheme)
        page.goto(site)
        page.screenshot(path=to / f"landing-{name}.png")
        page.locator(f"[name=languages][value={language}]").click()
        page.wait_for_selector("#round")
        page.screenshot(path=to / f"compare-{name}.png")
        page.keyboard.press("Digit1") if size is DESKTOP else page.locator("[name=vote][value=left]").click()
        page.wait_for_selector(".strip")
        page.wait_for_timeout(300)
        page.screenshot(path=to / f"voted-{name}.png")
        page.context.close()


def dashboard(browser: Browser, site: str, to: Path, name: str, password: str, slug: str) -> None:
    for size, scheme in [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")]:
        suffix = f"{'phone-' if size is PHONE else ''}{scheme}"
        page = page_of(browser, "en", size, scheme)
        page.goto(f"{site}/dashboard/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", password)
        page.click("form:has([name=password]) button")
        for path, shot in (("", "overview"), ("leaderboard", "leaderboard"), ("export", "export")):
            page.goto(f"{site}/dashboard/rounds/{slug}/{path}")
            page.screenshot(path=to / f"{shot}-{suffix}.png", full_page=True)
        page.goto(f"{site}/dashboard/plans/")
        page.screenshot(path=to / f"plans-{suffix}.png", full_page=True)
        page.context.close()


def main() -> None:
    site, name, password = sys.argv[1:4]
    to = Path(sys.argv[4]) if len(sys.argv) > 4 else Path(__file__).parent / "shots"
    slug = sys.argv[5] if len(sys.argv) > 5 else "demo"
    to.mkdir(exist_ok=True, parents=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.ARGUMENTS)
        volunteer(browser, site, to)
        dashboard(browser, site, to, name, password, slug)


if __name__ == "__main__":
    main()
