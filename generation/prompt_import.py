"""Import a file of prompts into a set: all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from generation import language as languages
from generation import prompts
from generation.errors import BadRow, BadRows, GenerationError, RowError
from generation.hashing import sha_of
from generation.models import LANGUAGES, Prompt, PromptSet
from generation.prompt_files import read


@dataclass(frozen=True, slots=True)
class Imported:
    created: int
    unchanged: int


def import_prompts(
    *,
    path: Path,
    set_slug: str,
    language: str | None = None,
    licence: str = "",
    source: str = "",
    dry_run: bool = False,
) -> Imported:
    """Every row is checked; then all new ones are written, or BadRows names every bad one and nothing is."""
    check_slug(set_slug)
    if language is not None and language not in LANGUAGES:
        raise GenerationError(f"--language {language} is not known. Say {' or '.join(LANGUAGES)}.")
    with transaction.atomic():
        prompt_set = PromptSet.objects.filter(slug=set_slug).select_for_update().first()
        if prompt_set is None:
            prompt_set = PromptSet(slug=set_slug, licence=licence, source=source or path.name)
        new, unchanged = _sift(path, prompt_set, language)
        if not dry_run:
            if prompt_set.pk is None:
                prompt_set.save()
            Prompt.objects.bulk_create(new, batch_size=500)
    return Imported(len(new), unchanged)


def check_slug(slug: str) -> None:
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise GenerationError(f"{slug!r} cannot name a prompt set. Use letters, digits, - and _.") from error
    if len(slug) > 50:
        raise GenerationError(f"The set's name {slug!r} has {len(slug)} characters; at most 50 are kept.")


def _sift(path: Path, prompt_set: PromptSet, language: str | None) -> tuple[list[Prompt], int]:
    """The prompts to write, and how many are there already."""
    known = _Known(prompt_set)
    bad: list[BadRow] = []
    unchanged = 0
    n_rows = 0
    for number, row in read(path):
        n_rows += 1
        try:
            if isinstance(row, RowError):
                raise row
            prompt = prompts.build(prompt_set=prompt_set, **_complete(row, language))
            unchanged += not known.add(prompt, number)
        except RowError as error:
            bad.append(error.at(path.name, number))
    if not n_rows:
        raise GenerationError(f"{path} holds no prompts.")
    if bad:
        raise BadRows(bad)
    return known.new, unchanged


def _complete(row: dict[str, Any], language: str | None) -> dict[str, Any]:
    row = dict(row)
    messages = prompts.check_messages(row["messages"])
    # Checked before anything looks at the text: a megabyte is refused, not analysed.
    prompts.check_length([message["content"] for message in messages])
    if not row.get("language"):
        spoken = "\n".join(message["content"] for message in messages if message["role"] == "user")
        row["language"] = language or languages.detect(spoken)
    # A key made of the content is the same when the file is imported again.
    row.setdefault("key", f"prompt-{sha_of(messages)[:12]}")
    return row


class _Known:
    """What the set holds, and what this file added so far."""

    def __init__(self, prompt_set: PromptSet) -> None:
        self.new: list[Prompt] = []
        self._by_key: dict[tuple[str, str], tuple[str, str]] = {}
        self._contents: set[tuple[str, str]] = set()
        if prompt_set.pk is not None:
            rows = Prompt.objects.filter(set=prompt_set).values_list("key", "language", "content_sha")
            for key, language, content in rows:
                self._note(key, language, content, "already in the set")

    def _note(self, key: str, language: str, content: str, where: str) -> None:
        self._by_key[key, language] = (content, where)
        self._contents.add((language, content))

    def add(self, prompt: Prompt, number: int) -> bool:
        """False where the set has this content already: it stays one prompt, whatever its key."""
        content, where = self._by_key.get((prompt.key, prompt.language), (None, ""))
        if content is not None and content != prompt.content_sha:
            raise RowError(
                "key",
                f"{prompt.key!r} ({prompt.language}) is {where} with another content. "
                "Give this one another key: a prompt never changes, since answers refer to it.",
            )
        if (prompt.language, prompt.content_sha) in self._contents:
            return False
        self._note(prompt.key, prompt.language, prompt.content_sha, f"in row {number}")
        self.new.append(prompt)
        return True
