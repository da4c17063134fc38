"""Import responses that were made elsewhere or earlier: all of the given files or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from generation import candidates, manifests, prompts, responses
from generation.errors import BadRow, BadRows, RowError, SettingsError
from generation.hashing import canonical
from generation.models import Candidate, Checkpoint, Manifest, Prompt, PromptSet, Response
from generation.response_files import Located, read
from generation.response_rows import ResponseRow
from generation.seed_files import SET as SEED_SET

# Of sets that come with their responses.
_SETS = {SEED_SET: {"licence": "Apache-2.0", "source": "https://github.com/AUGMXNT/shisa eval/generations"}}


@dataclass(slots=True)
class Imported:
    checkpoints: int = 0
    candidates: int = 0
    prompts: int = 0
    responses: int = 0
    unchanged: int = 0
    differing: list[str] = field(default_factory=list)


class _DryRun(Exception):
    """Takes back what a dry run wrote."""


def import_responses(*, paths: Sequence[Path], dry_run: bool = False) -> Imported:
    """Checkpoints, candidates and prompts that the files bring are made as needed; what is there stays.

    BadRows names every row that cannot be used; then nothing is written.
    """
    rows, bad = _read_all(paths)
    job = _Import()
    try:
        with transaction.atomic():
            built = job.build(rows, bad)
            if bad:
                raise BadRows(bad)
            job.done.responses = responses.store_many(built)
            job.compare(built)
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return job.done


def _read_all(paths: Sequence[Path]) -> tuple[list[Located], list[BadRow]]:
    rows: list[Located] = []
    bad: list[BadRow] = []
    for path in paths:
        for number, row in read(path):
            if isinstance(row, RowError):
                bad.append(row.at(path.name, number))
            else:
                rows.append(Located(path.name, number, row))
    return rows, bad


class _Import:
    """What one import has made or found so far: thousands of rows share a few candidates and prompts."""

    def __init__(self) -> None:
        self.done = Imported()
        self._checkpoints: dict[str, Checkpoint] = {}
        self._candidates: dict[bytes, Candidate] = {}
        self._prompts: dict[tuple[str, str, str], Prompt] = {}
        self._manifests: dict[bytes, Manifest] = {}

    def build(self, rows: Sequence[Located], bad: list[BadRow]) -> list[Response]:
        built: dict[tuple[int, int, int], tuple[Response, Located]] = {}
        for located in rows:
            try:
                response = self._build(located.row)
                key = (response.candidate_id, response.prompt_id, response.sample)
                if key in built and built[key][0].text_sha != response.text_sha:
                    first = built[key][1]
                    raise RowError(
                        "turns",
                        f"another answer of this candidate, prompt and sample stands in {first.file}, "
                        f"row {first.number}. Give one of them another sample.",
                    )
                built.setdefault(key, (response, located))
            except RowError as error:
                bad.append(error.at(located.file, located.number))
        self._link_parents(rows)
        return [response for response, _ in built.values()]

    def compare(self, built: Sequence[Response]) -> None:
        """Which answers were there already, and which of those with another text."""
        self.done.unchanged = len(built) - self.done.responses
        if not self.done.unchanged:
            return
        stored = Response.objects.filter(prompt__in={one.prompt_id for one in built})
        there = {
            (candidate, prompt, sample): sha
            for candidate, prompt, sample, sha in stored.values_list(
                "candidate_id", "prompt_id", "sample", "text_sha"
            )
        }
        self.done.differing = [
            f"{one.candidate.label}, {one.prompt}, sample {one.sample}"
            for one in built
            if there[one.candidate_id, one.prompt_id, one.sample] != one.text_sha
        ]

    def _build(self, row: ResponseRow) -> Response:
        prompt = self._prompt(row)
        if len(row.turns) != prompt.turns:
            raise RowError(
                "turns", f"has {len(row.turns)} answers, but the prompt {prompt.turns} turns. Give one each."
            )
        return responses.build(
            candidate=self._candidate(row), prompt=prompt, sample=row.sample, turns=row.turns,
            manifest=self._manifest(row.manifest), seed=row.seed,
        )  # fmt: skip

    def _checkpoint(self, fields: Mapping[str, Any]) -> Checkpoint:
        name = str(fields["name"])
        if name not in self._checkpoints:
            others = {key: value or "" for key, value in fields.items() if key not in ("name", "parent")}
            found, created = Checkpoint.objects.get_or_create(name=name, defaults=others)
            self.done.checkpoints += created
            self._checkpoints[name] = found
        return self._checkpoints[name]

    def _candidate(self, row: ResponseRow) -> Candidate:
        key = canonical([row.checkpoint["name"], row.candidate])
        if key not in self._candidates:
            checkpoint = self._checkpoint(row.checkpoint)
            before = Candidate.objects.count()
            try:
                self._candidates[key] = candidates.register(checkpoint=checkpoint, **row.candidate)
            except SettingsError as error:
                raise RowError("candidate", str(error)) from error
            self.done.candidates += Candidate.objects.count() - before
        return self._candidates[key]

    def _prompt(self, row: ResponseRow) -> Prompt:
        if row.prompt_key not in self._prompts:
            slug, key, language = row.prompt_key
            if row.prompt is not None:
                self._prompts[row.prompt_key] = self._add_prompt(slug, row.prompt)
            else:
                found = Prompt.objects.filter(set__slug=slug, key=key, language=language).first()
                if found is None:
                    raise RowError(
                        "prompt",
                        f"{key!r} ({language}) is not in the set {slug!r}. "
                        f"Import it first: manage.py import_prompts FILE --set {slug}",
                    )
                self._prompts[row.prompt_key] = found
        return self._prompts[row.prompt_key]

    def _add_prompt(self, slug: str, fields: Mapping[str, Any]) -> Prompt:
        prompt_set, _ = PromptSet.objects.get_or_create(slug=slug, defaults=_SETS.get(slug, {}))
        before = Prompt.objects.filter(set=prompt_set).count()
        try:
            prompt = prompts.add_prompt(prompt_set=prompt_set, **fields)
        except SettingsError as error:
            raise RowError("chat", str(error)) from error
        self.done.prompts += Prompt.objects.filter(set=prompt_set).count() - before
        return prompt

    def _manifest(self, body: Mapping[str, Any]) -> Manifest:
        key = canonical(body)
        if key not in self._manifests:
            self._manifests[key] = manifests.keep(body)
        return self._manifests[key]

    def _link_parents(self, rows: Sequence[Located]) -> None:
        """Only once all files are read is every parent there; one that is nowhere is left out."""
        wanted = {str(one.row.checkpoint["name"]): one.row.checkpoint.get("parent") for one in rows}
        for name, parent in wanted.items():
            found = Checkpoint.objects.filter(name=parent).exclude(name=name).first() if parent else None
            if found is not None and name in self._checkpoints:
                Checkpoint.objects.filter(name=name, parent=None).update(parent=found)
