"""Docs that cannot drift."""

from __future__ import annotations

import re
from pathlib import Path

READS = re.compile(r"""(?:env\.\w+\(|environ\.get\(|environ\.setdefault\(|environ\[)\s*"([A-Z_]+)\"""")
INTERNAL = {"DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE"}


def variables_read() -> set[str]:
    sources = [
        p
        for app in ("shisa_arena", "generation", "voting", "ranking", "exports")
        for p in Path(app).rglob("*.py")
    ]
    return {name for path in sources for name in READS.findall(path.read_text())} - INTERNAL


def test_every_setting_is_documented() -> None:
    assert len(variables_read()) > 10
    documented = set(re.findall(r"`([A-Z_]+)`", Path("docs/settings.md").read_text()))
    assert variables_read() - documented == set()


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = Path("README.md").read_text()
    first = readme.index("make demo")
    assert len(readme[:first].split()) <= 80
    assert readme[:first].count("\n") < 25
    assert "make test" in readme[first : first + 400]


def test_relative_links_and_images_of_the_docs_exist() -> None:
    for page in [Path("README.md"), Path("CONTRIBUTING.md"), *Path("docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
