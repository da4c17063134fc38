"""Files of responses, row by row: our own JSONL, and the generations of the team behind Shisa 7B."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation import seed_files
from generation.errors import GenerationError, RowError
from generation.models import Checkpoint
from generation.prompt_files import read_jsonl
from generation.prompts import check_short
from generation.response_rows import ResponseRow

_FIELDS = {"checkpoint", "candidate", "prompt", "sample", "turns", "seed", "manifest"}
_CHECKPOINT = {
    "name", "source", "location", "revision", "dtype", "quantisation", "stage", "output_terms", "parent",
}  # fmt: skip
_CANDIDATE = {"label", "template", "template_args", "system", "sampler"}
_PROMPT = {"set", "key", "language"}


def read(path: Path) -> Iterator[tuple[int, ResponseRow | RowError]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GenerationError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    if path.suffix.lower() == ".jsonl":
        return _read_ours(data)
    if path.suffix.lower() == ".json":
        return seed_files.read(path, data)
    raise GenerationError(
        f"{path} is neither .jsonl (as dump_responses writes) nor CHECKPOINT_temp-T_run-N.json. "
        "Rename or convert it."
    )


def _read_ours(data: bytes) -> Iterator[tuple[int, ResponseRow | RowError]]:
    for number, row in read_jsonl(data):
        if isinstance(row, RowError):
            yield number, row
            continue
        try:
            yield number, _row(row)
        except RowError as error:
            yield number, error


def _row(row: Mapping[str, Any]) -> ResponseRow:
    check_fields("", row, _FIELDS, required={"checkpoint", "candidate", "prompt", "turns"})
    checkpoint = _object(row, "checkpoint", _CHECKPOINT, {"name", "source"})
    _check_checkpoint(checkpoint)
    candidate = _object(row, "candidate", _CANDIDATE, {"label"})
    prompt = _object(row, "prompt", _PROMPT, _PROMPT)
    sample = row.get("sample", 0)
    if not isinstance(sample, int) or isinstance(sample, bool) or not 0 <= sample < 32_768:
        raise RowError("sample", f"is {sample!r}. Give a whole number, 0 for the first.")
    seed = row.get("seed")
    if seed is not None and (not isinstance(seed, int) or not 0 <= seed < 1 << 63):
        raise RowError("seed", f"is {seed!r}. Give a whole number below 2^63, or null.")
    manifest = row.get("manifest") or {"made_by": "an import that does not say"}
    if not isinstance(manifest, dict):
        raise RowError("manifest", f"is {type(manifest).__name__}. Give an object.")
    return ResponseRow(
        checkpoint=checkpoint,
        candidate=candidate,
        prompt_key=(prompt["set"], prompt["key"], prompt["language"]),
        prompt=None,
        sample=sample,
        turns=_turns(row["turns"]),
        seed=seed,
        manifest=manifest,
    )


def _object(row: Mapping[str, Any], name: str, known: set[str], required: set[str]) -> dict[str, Any]:
    value = row[name]
    if not isinstance(value, dict):
        raise RowError(name, f"is {type(value).__name__}. Give an object with {', '.join(sorted(required))}.")
    check_fields(f"{name}.", value, known, required)
    for field in required:
        if not isinstance(value[field], str):
            raise RowError(f"{name}.{field}", f"is {type(value[field]).__name__}, not text. Give a string.")
    return value


def _check_checkpoint(checkpoint: Mapping[str, Any]) -> None:
    check_short("checkpoint.name", checkpoint["name"], 200)
    if checkpoint["source"] not in Checkpoint.Source.values:
        known = ", ".join(Checkpoint.Source.values)
        raise RowError("checkpoint.source", f"is {checkpoint['source']!r}. Say one of {known}.")
    for field, value in checkpoint.items():
        if value is not None and not isinstance(value, str):
            raise RowError(f"checkpoint.{field}", f"is {type(value).__name__}, not text. Give a string.")


def check_fields(prefix: str, row: Mapping[str, Any], known: set[str], required: set[str]) -> None:
    if missing := sorted(required - set(row)):
        raise RowError(prefix + missing[0], "is missing. Give it.")
    if unknown := sorted(set(row) - known):
        raise RowError(prefix + unknown[0], f"is not known. Known fields are {', '.join(sorted(known))}.")


def _turns(turns: object) -> Sequence[dict[str, Any]]:
    if not isinstance(turns, list) or not turns:
        raise RowError("turns", 'is not a list of answers. Give [{"text": …, "tokens": …, "finish": …}].')
    return [_turn(f"turns[{number}]", turn) for number, turn in enumerate(turns)]


def _turn(field: str, turn: object) -> dict[str, Any]:
    if not isinstance(turn, dict):
        raise RowError(field, f"is {type(turn).__name__}. Give an object with text.")
    check_fields(f"{field}.", turn, {"text", "tokens", "finish"}, {"text"})
    if not isinstance(turn["text"], str):
        raise RowError(f"{field}.text", f"is {type(turn['text']).__name__}, not text. Give a string.")
    if turn.get("finish") not in (None, "stop", "length"):
        raise RowError(f"{field}.finish", f"is {turn['finish']!r}. Say stop, length or null.")
    tokens = turn.get("tokens")
    if tokens is not None and (not isinstance(tokens, int) or tokens < 0):
        raise RowError(f"{field}.tokens", f"is {tokens!r}. Give a whole number or null.")
    return turn


@dataclass(frozen=True, slots=True)
class Located:
    """A row with where it stands, for the message if it cannot be used."""

    file: str
    number: int
    row: ResponseRow
