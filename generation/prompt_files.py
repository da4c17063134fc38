"""Files of prompts, row by row: our JSONL, FastChat's question.jsonl, chat messages, CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generation.errors import GenerationError, RowError

_OURS = {
    "key", "concept", "language", "answer_language", "category", "system", "messages", "content_warning",
}  # fmt: skip
_PROMPT_COLUMN = re.compile(r"prompt(_\d+)?")
_COLUMNS = _OURS - {"messages"}
DEFAULT_CATEGORY = "general"
# The library's own limit would call a long cell broken; how long a prompt may be, generation.prompts says.
csv.field_size_limit(100_000_000)

Row = tuple[int, "dict[str, Any] | RowError"]


def read(path: Path) -> Iterator[Row]:
    """(row number, fields as prompts.build takes them, or what is wrong). Key and language may be missing."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GenerationError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    if path.suffix.lower() == ".csv":
        return _read_csv(path, data)
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return _read_jsonl(data)
    raise GenerationError(f"{path} is neither .jsonl nor .csv. Rename it to say which it is.")


def read_jsonl(data: bytes) -> Iterator[tuple[int, dict[str, Any] | RowError]]:
    """Each line that is not blank as a JSON object."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, _parse(line)
            except RowError as error:
                yield number, error


def _parse(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise RowError(
            "line", f"is not UTF-8 (byte {error.start + 1}). Save the file as UTF-8; CSV may also be cp932."
        ) from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = (
            f"column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else "nested too deep"
        )
        raise RowError("line", f"is not JSON ({where}). One object a line is expected.") from error
    if not isinstance(row, dict):
        raise RowError("line", f"is a JSON {type(row).__name__}. One object a line is expected.")
    return row


def _read_jsonl(data: bytes) -> Iterator[Row]:
    for number, row in read_jsonl(data):
        if isinstance(row, RowError):
            yield number, row
            continue
        try:
            yield number, _fields(row)
        except RowError as error:
            yield number, error


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    if "turns" in row:
        return _fastchat(row)
    if "messages" not in row:
        raise RowError(
            "messages", 'is missing. Give "messages": [{"role": "user", "content": …}], or "turns".'
        )
    if "key" in row:
        # Ours: a misspelt field would silently do nothing.
        if unknown := sorted(set(row) - _OURS):
            raise RowError(unknown[0], f"is not known. Known fields are {', '.join(sorted(_OURS))}.")
        return _chat(dict(row))
    # Chat data of elsewhere brings fields of its own; only those that mean something here are taken.
    return _chat({name: value for name, value in row.items() if name in _OURS})


def _fastchat(row: Mapping[str, Any]) -> dict[str, Any]:
    turns = row["turns"]
    if not isinstance(turns, list):
        raise RowError("turns", f"is {type(turns).__name__}. Give a list of strings.")
    if "question_id" not in row:
        raise RowError("question_id", "is missing. FastChat's questions have one each.")
    fields = {name: row[name] for name in ("language", "answer_language", "concept", "system") if name in row}
    return {
        **fields,
        "key": str(row["question_id"]),
        "category": row.get("category") or DEFAULT_CATEGORY,
        "messages": [{"role": "user", "content": turn} for turn in turns],
    }


def _chat(fields: dict[str, Any]) -> dict[str, Any]:
    messages = fields["messages"]
    first = messages[0] if isinstance(messages, list) and messages else None
    if isinstance(first, dict) and first.get("role") == "system":
        if fields.get("system"):
            raise RowError("system", "stands beside a system message. Keep one of the two.")
        fields |= {"system": first.get("content"), "messages": messages[1:]}
    return {"category": DEFAULT_CATEGORY, **fields}


def _read_csv(path: Path, data: bytes) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(_decode(path, data), newline=""), strict=True)
    header = [name or "" for name in reader.fieldnames or []]
    unknown = [name for name in header if name not in _COLUMNS and not _PROMPT_COLUMN.fullmatch(name)]
    if unknown or not any(_PROMPT_COLUMN.fullmatch(name) for name in header):
        wrong = f"column {unknown[0]!r} is not known" if unknown else "there is no column prompt"
        raise GenerationError(
            f"{path}, row 1: {wrong}. Columns are prompt (prompt_2 … for further turns), "
            f"{', '.join(sorted(_COLUMNS))}."
        )
    number = 1
    try:
        for number, row in enumerate(reader, start=2):
            yield number, _csv_fields(row)
    except csv.Error as error:
        yield number + 1, RowError("row", f"is not CSV: {error}. Check the quotes.")


def _csv_fields(row: dict[Any, Any]) -> dict[str, Any] | RowError:
    if row.get(None):
        return RowError("row", "has more cells than the header. Put cells with commas into quotes.")
    turns = sorted(
        (name for name in row if _PROMPT_COLUMN.fullmatch(name)), key=lambda name: (len(name), name)
    )
    said = [row[name] for name in turns if (row[name] or "").strip()]
    fields = {name: row[name] for name in _COLUMNS if (row.get(name) or "").strip()}
    messages = [{"role": "user", "content": text} for text in said or [""]]
    return {"category": DEFAULT_CATEGORY, **fields, "messages": messages}


def _decode(path: Path, data: bytes) -> str:
    """UTF-8 with or without BOM, else what Excel in Japan writes."""
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise GenerationError(f"{path} is neither UTF-8 nor cp932 (Shift_JIS). Save it as UTF-8.")
