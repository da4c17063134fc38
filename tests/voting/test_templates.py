"""The volunteer's pages: no inline style or script, and Japanese as complete as the English."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.test import Client
from django.utils import translation

from voting.models import Round

PO = Path("locale/ja/LC_MESSAGES/django.po")
PAGES = ("/", "/compare")


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["ja", "en"])
def test_pages_hold_a_strict_content_security_policy(arena: Round, client: Client, language: str) -> None:
    for page in PAGES:
        response = client.get(page, headers={"Accept-Language": language})
        html = response.content.decode()
        assert f'<html lang="{language}">' in html
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", html)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
        assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_japanese_page_has_no_english_left(arena: Round, client: Client) -> None:
    client.post("/languages", {"languages": "ja"})
    html = client.get("/compare", headers={"Accept-Language": "ja"}).content.decode()
    for english in (
        "Which answer",
        "About the same",
        "Both bad",
        "Skip",
        "Report",
        "Undo",
        "Help",
        "is better",
    ):
        assert english not in re.sub(r"<(script|meta)[^>]*>", "", html)


def test_every_string_is_translated() -> None:
    catalogue = polib.pofile(str(PO))
    assert len(catalogue) > 80
    assert catalogue.untranslated_entries() == [] and catalogue.fuzzy_entries() == []


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    compiled = {
        (e.msgctxt, e.msgid): e.msgstr or e.msgstr_plural for e in polib.mofile(str(PO.with_suffix(".mo")))
    }
    written = {(e.msgctxt, e.msgid): e.msgstr or e.msgstr_plural for e in polib.pofile(str(PO))}
    assert compiled == written


def test_every_string_of_the_templates_is_in_the_catalogue() -> None:
    known = {entry.msgid for entry in polib.pofile(str(PO))}
    used = {
        found
        for path in Path("templates/voting").glob("*.html")
        for found in re.findall(r"""{% translate ["'](.+?)["'](?: context "\w+")? %}""", path.read_text())
    }
    assert len(used) > 70 and used - known == set()


def test_japanese_has_no_typed_space_beside_latin_or_digits() -> None:
    japanese = r"[\u3040-\u30ff\u4e00-\u9fff]"
    spaced = re.compile(rf"{japanese} [A-Za-z0-9]|[A-Za-z0-9] {japanese}")
    assert [entry.msgstr for entry in polib.pofile(str(PO)) if spaced.search(entry.msgstr)] == []


def test_a_translation_is_in_force() -> None:
    with translation.override("ja"):
        assert translation.gettext("Recorded: A is better") == "「Aがよい」を記録しました"
